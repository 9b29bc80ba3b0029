import { StringDecoder } from "node:string_decoder";
import { nowUs } from "../../runtime/clock.ts";
import type { OutputListener } from "../../runtime/container/stdio/capture.ts";
import type { FollowEvent } from "../schema/follow.ts";
import { Wakeup } from "../../runtime/wakeup.ts";

/** How much may wait for a follower to take it. */
const maxQueuedBytes = 1024 * 1024;
/** What an event takes beside its text, so that many small ones count too. */
const eventBytes = 256;

/** Whose output a follower is told of. */
export type FollowedPart = { readonly invocationId: string } | { readonly functionName: string };

/** A running invocation, as a follower is told of it. */
export interface FollowedRun {
  readonly id: string;
  readonly functionName?: string | null | undefined;
}

/** One who is told of output as it comes. Who takes it too slowly is cut off, so that memory stays bounded. */
export class Follower implements Disposable {
  readonly #part: FollowedPart;
  readonly #onClose: (follower: Follower) => void;
  readonly #queue: FollowEvent[] = [];
  /** A character may come in two chunks. */
  readonly #decoders = new Map<string, StringDecoder>();
  readonly #wakeup = new Wakeup();
  #queuedBytes = 0;
  #isClosed = false;

  constructor(part: FollowedPart, onClose: (follower: Follower) => void) {
    this.#part = part;
    this.#onClose = onClose;
  }

  /** The next event, as soon as there is one; undefined once there will be none. */
  async next(): Promise<FollowEvent | undefined> {
    while (this.#queue.length === 0 && !this.#isClosed) {
      await this.#wakeup.next();
    }
    const event = this.#queue.shift();
    if (event !== undefined) this.#queuedBytes -= sizeOf(event);
    return event;
  }

  /** Tells of a chunk, if this follower follows that run. */
  tell(run: FollowedRun, ...[stream, chunk]: Parameters<OutputListener>): void {
    if (!this.#follows(run)) return;
    const text = this.#decoderOf(`${run.id}/${stream}`).write(chunk);
    if (text !== "")
      this.#push({ type: "output", invocationId: run.id, stream, text, atUs: nowUs() });
  }

  /** Tells of the end of a run, which ends a follower of that run alone. */
  tellEnd(run: FollowedRun, status: Extract<FollowEvent, { type: "end" }>["status"]): void {
    if (!this.#follows(run)) return;
    for (const stream of ["stdout", "stderr"]) this.#decoders.delete(`${run.id}/${stream}`);
    this.#push({ type: "end", invocationId: run.id, status });
    if ("invocationId" in this.#part) this[Symbol.dispose]();
  }

  /** Ends it; what waits can still be taken. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClose(this);
    this.#wakeup.wake();
  }

  #follows({ id, functionName }: FollowedRun): boolean {
    const part = this.#part;
    return "invocationId" in part ? part.invocationId === id : part.functionName === functionName;
  }

  #push(event: FollowEvent): void {
    this.#queuedBytes += sizeOf(event);
    if (this.#queuedBytes <= maxQueuedBytes) this.#queue.push(event);
    else {
      const message = "Cut off: output came faster than it was taken. The record has what was kept";
      this.#queue.push({ type: "cut", message });
      this[Symbol.dispose]();
    }
    this.#wakeup.wake();
  }

  #decoderOf(key: string): StringDecoder {
    let decoder = this.#decoders.get(key);
    if (decoder === undefined) {
      decoder = new StringDecoder();
      this.#decoders.set(key, decoder);
    }
    return decoder;
  }
}

function sizeOf(event: FollowEvent): number {
  return eventBytes + (event.type === "output" ? 2 * event.text.length : 0);
}
