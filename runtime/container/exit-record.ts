import { type Exit, type ExitReason, killedExit } from "./exit.ts";
import { untilAborted } from "../deadline.ts";

/** Why a process was ended from outside. */
export type TerminateReason = Extract<
  ExitReason,
  "timeout" | "oom" | "cancelled" | "lost" | "failed"
>;

/** The one exit of a process and the cause behind it: of both the first one stays. */
export class ExitRecord {
  readonly #settled = Promise.withResolvers<Exit>();
  #cause: TerminateReason | undefined;
  #exit: Exit | undefined;

  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** Notes why the process is about to be killed. */
  note(cause: TerminateReason): void {
    this.#cause ??= cause;
  }

  /** Whether somebody has decided that the process is to end. */
  get isCondemned(): boolean {
    return this.#cause !== undefined;
  }

  /**
   * Takes the exit; a later one is dropped. A process that was quicker than the SIGKILL meant for it keeps its
   * own status: the cause stands only where it was the cause.
   */
  take(exit: Exit): void {
    this.#exit ??= this.#cause !== undefined && isKill(exit) ? withCause(exit, this.#cause) : exit;
  }

  /** Lets the waiters go, once there is an exit. */
  publish(): void {
    if (this.#exit !== undefined) this.#settled.resolve(this.#exit);
  }

  /** Waits for the exit. @throws the reason of `signal`. */
  async wait(signal?: AbortSignal): Promise<Exit> {
    return await untilAborted(this.#settled.promise, signal);
  }
}

function isKill(exit: Exit): boolean {
  return exit.signal === "SIGKILL" || exit.reason === "failed" || exit.reason === "lost";
}

function withCause(exit: Exit, cause: TerminateReason): Exit {
  return { ...killedExit(cause, exit.message), atMs: exit.atMs };
}
