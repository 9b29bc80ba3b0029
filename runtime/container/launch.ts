import type { Duplex } from "node:stream";
import type { Exit, SignalName } from "./exit.ts";
import type { Status } from "./state.ts";
import type { ConsoleIo } from "./stdio/console-io.ts";
import type { Io } from "./stdio/stdio.ts";

/**
 * How a container is brought up, watched and put away: the part of Init that differs between an attached
 * `runsc run` and create, start and wait. It keeps no state of the life cycle, that is Init's.
 */
export interface Launch {
  /** The host process that lives as long as the container: `runsc run`, or the sandbox. */
  readonly pid: number | undefined;
  readonly io: Io | undefined;
  readonly console: ConsoleIo | undefined;
  readonly channel: Duplex | undefined;
  create(bundle: string, signal?: AbortSignal): Promise<void>;
  start(bundle: string, signal?: AbortSignal): Promise<void>;
  /** How the container ended; never rejects. Only after `start`. */
  ended(): Promise<Exit>;
  status(signal?: AbortSignal): Promise<Status>;
  /** The sandbox process, proven to be ours at this moment. */
  sandboxPid(): Promise<number | undefined>;
  kill(signalName: SignalName, options: { all?: boolean }, signal?: AbortSignal): Promise<void>;
  /** Ends everything inside at once, from the host's side; bounded. */
  destroy(): Promise<void>;
  /** Ends what may still run inside a container that counts as stopped; never rejects. */
  killLeftovers(): Promise<void>;
  /** Removes what runsc keeps of the container. */
  remove(): Promise<void>;
}
