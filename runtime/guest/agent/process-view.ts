import { z } from "zod";
import { untilAborted } from "../../deadline.ts";
import { RunletError } from "../../errors.ts";
import { Wakeup } from "../../wakeup.ts";
import type { AgentCall } from "./agent-call.ts";
import type { AgentLink } from "./agent-link.ts";

/** How a process in a sandbox ended; the code is 128 + n where signal n ended it. */
export interface ProcessExit {
  readonly code: number;
  /** Number of the signal. */
  readonly signal: number | null;
  /** The guest's wall clock, milliseconds since the epoch. */
  readonly endedAtMs: number;
}

/** What a viewer is shown: output, or how much of it had been dropped before it came to be read. */
export type OutputPiece =
  | { readonly stream: "stdout" | "stderr" | "pty"; readonly body: Buffer }
  | { readonly droppedBytes: number };

const started = z.object({ pid: z.int().positive(), startedAtMs: z.int() });
const dropped = z.object({ dropped: z.int().positive() });
const streamName = z.enum(["stdout", "stderr", "pty"]);
const ended = z.object({
  code: z.int().min(0).max(255),
  signal: z.int().nullable(),
  endedAtMs: z.number(),
});

/** One look at a process in a sandbox: its output from a moment on, its end, and a way to feed it. */
export class ProcessView {
  readonly exit: Promise<ProcessExit>;
  readonly #call: AgentCall;
  readonly #started = Promise.withResolvers<z.infer<typeof started>>();
  readonly #pieces: OutputPiece[] = [];
  readonly #arrived = new Wakeup();
  #isOver = false;

  private constructor(link: AgentLink, op: string, args: object) {
    this.#started.promise.catch(() => undefined);
    this.#call = link.open(op, args, {
      what: op === "spawn" ? "start the command" : "follow the command",
      onEvent: (event) => this.#note(event),
      onData: (body, stream) => this.#take(body, stream),
    });
    this.exit = this.#call.result.then((result) => ended.parse(result));
    this.exit.then(
      () => this.#end(),
      (error: unknown) => {
        this.#started.reject(error);
        this.#end();
      },
    );
  }

  /** Asks for a process, or for a look at one, and waits until the agent has said yes. @throws what it says else. */
  static async open(
    link: AgentLink,
    op: "spawn" | "attach",
    args: object,
    signal?: AbortSignal,
  ): Promise<ProcessView & { pid: number; startedAtMs: number }> {
    const view = new ProcessView(link, op, args);
    try {
      return Object.assign(view, await untilAborted(view.#started.promise, signal));
    } catch (error) {
      view.detach();
      throw error;
    }
  }

  /** The next piece, or undefined after the last; one caller at a time. @throws the signal's reason. */
  async next(signal?: AbortSignal): Promise<OutputPiece | undefined> {
    while (this.#pieces.length === 0) {
      if (this.#isOver) return undefined;
      await untilAborted(this.#arrived.next(), signal);
    }
    const piece = this.#pieces.shift();
    if (piece !== undefined && "body" in piece) this.#call.consumed(piece.body.byteLength);
    return piece;
  }

  /** Sends input, as fast as the process takes it. */
  async write(body: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#call.write(body, signal);
  }

  /** No more input comes. */
  endInput(): void {
    this.#call.end();
  }

  /** Looks no more; the process goes on. */
  detach(): void {
    this.#call.cancel();
    this.#end();
  }

  #note(event: Readonly<Record<string, unknown>>): void {
    const beginning = started.safeParse(event);
    if (beginning.success) return this.#started.resolve(beginning.data);
    const gap = dropped.safeParse(event);
    if (gap.success) this.#add({ droppedBytes: gap.data.dropped });
  }

  #take(body: Buffer, name: string | undefined): void {
    const stream = streamName.safeParse(name);
    if (stream.success) this.#add({ stream: stream.data, body });
    else this.#call.cancel(new RunletError("protocol_violation", `There is no stream ${name}`));
  }

  #add(piece: OutputPiece): void {
    this.#pieces.push(piece);
    this.#arrived.wake();
  }

  #end(): void {
    this.#isOver = true;
    this.#arrived.wake();
  }
}
