import { finished } from "node:stream/promises";
import type { Machine } from "../machine.ts";
import {
  type ContainerLimits,
  type ContainerSpecOptions,
  containerSpec,
} from "./container-spec.ts";
import type { Exit } from "./exit.ts";
import type { Init } from "./init.ts";
import { Capture, captureBoth, type OutputListener } from "./stdio/capture.ts";
import type { Mask } from "./stdio/mask.ts";
import { MaskedSink } from "./stdio/masked-sink.ts";

export interface ProgramOptions extends Omit<ContainerSpecOptions, "pids">, ContainerLimits {
  stdin: Uint8Array;
  /** Wall-clock time from the start of the container, milliseconds. */
  timeoutMs: number;
  /** How much of each of stdout and stderr is kept. */
  outputBytes: number;
  /** How much of stdout is kept, where that is not the same. */
  stdoutBytes?: number;
  /** Whether the program may connect to the host's sockets in what is mounted for it. */
  hasHostSockets?: boolean;
  onOutput?: OutputListener | undefined;
  /** Told its container's id before there is one. */
  onContainer?: (containerId: string) => void;
  /** What must not be seen of the output, be it as it comes or as it is kept. */
  mask?: Mask | undefined;
  signal: AbortSignal;
}

/** How a program ended, and what it wrote. */
export interface ProgramResult {
  readonly containerId: string;
  readonly exit: Exit;
  readonly stdout: Capture;
  readonly stderr: Capture;
  /** Standard output as it was written, also where a mask hides some of it. */
  readonly unmasked: Capture;
}

/**
 * Runs one program as the first process of a container of its own and waits for its end. The container is
 * gone when this returns. A timeout and an abort of the signal are ways to end, told by the exit's reason.
 * @throws RunscError if the container could not be made.
 */
export async function runProgram(
  machine: Machine,
  options: ProgramOptions,
): Promise<ProgramResult> {
  const { outputBytes, stdoutBytes = outputBytes, hasHostSockets = false, mask } = options;
  const { stdout, stderr } = captureBoth(
    { stdoutBytes, stderrBytes: outputBytes },
    options.onOutput,
  );
  const unmasked = mask === undefined ? stdout : new Capture(stdoutBytes);
  const maskedStdout = mask && new MaskedSink(mask, stdout);
  const maskedStderr = mask && new MaskedSink(mask, stderr);
  const { memoryBytes, cpus, pids } = options;
  await using init = machine.container(containerSpec(options), {
    stdio: { kind: "pipe", stdin: true, stdout: true, stderr: true },
    limits: { memoryBytes, cpus, pids },
    ...(hasHostSockets && { hostUds: "open" }),
  });
  options.signal.throwIfAborted();
  options.onContainer?.(init.id);
  await init.create();
  await init.start();
  init.stdout?.attach((chunk) => {
    unmasked.write(chunk);
    maskedStdout?.write(chunk);
  });
  init.stderr?.attach((chunk) => (maskedStderr ?? stderr).write(chunk));
  using _limit = endInTime(init, options.timeoutMs, options.signal);
  feed(init, options.stdin);
  const exit = await init.wait();
  await init.delete();
  maskedStdout?.flush();
  maskedStderr?.flush();
  return { containerId: init.id, exit, stdout, stderr, unmasked };
}

/** Ends a container at its timeout or when the signal aborts, until it is disposed. */
export function endInTime(init: Init, timeoutMs: number, signal?: AbortSignal): Disposable {
  const timer = setTimeout(() => void init.terminate("timeout"), timeoutMs);
  const cancel = (): void => void init.terminate("cancelled");
  signal?.addEventListener("abort", cancel, { once: true });
  if (signal?.aborted) cancel();
  return {
    [Symbol.dispose](): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    },
  };
}

/** A program need not read what it is given: a broken pipe is its business. */
function feed(init: Init, stdin: Uint8Array): void {
  if (init.stdin === undefined) return;
  init.stdin.end(stdin);
  finished(init.stdin).catch(() => undefined);
}
