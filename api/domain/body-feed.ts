import type { Guest } from "../../runtime/guest/guest.ts";
import type { GuestFeed } from "../../runtime/guest/guest-feed.ts";
import type { BodyStream } from "./body-stream.ts";
import type { RunletError } from "./errors.ts";
import { asFailure } from "./outcome.ts";

/** How long a function may go on once its body has broken off: it may have something to tidy up. */
const graceMs = 1000;

export interface BodyFeedOptions {
  stream: BodyStream;
  maxWholeBytes: number;
  onWhole: () => void;
  /** Cancels the invocation. */
  signal: AbortSignal;
}

/**
 * The body of one request on its way to one guest. A cancellation in its middle breaks it off first, and ends the
 * container only where the function does not end by itself.
 */
export class BodyFeed implements Disposable {
  readonly feed: GuestFeed;
  readonly #cancelled: AbortSignal;
  readonly #end = new AbortController();
  readonly #onCancel = (): void => this.#cancel();
  #failure: RunletError | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(guest: Guest, id: string, { stream, signal, ...options }: BodyFeedOptions) {
    const onBroken = (cause: unknown): void => this.#breakOff(asFailure(cause));
    this.feed = guest.feed(id, { source: stream, ...options, onBroken });
    this.#cancelled = signal;
    signal.addEventListener("abort", this.#onCancel, { once: true });
    if (signal.aborted) this.#cancel();
  }

  /** Ends the container when it aborts. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** Why the body has broken off, where it has: nobody wants the answer then. */
  get failure(): RunletError | undefined {
    return this.#failure;
  }

  [Symbol.dispose](): void {
    this.feed.stop();
    clearTimeout(this.#timer);
    this.#cancelled.removeEventListener("abort", this.#onCancel);
  }

  #cancel(): void {
    if (this.feed.isOpen) this.feed.break(this.#cancelled.reason);
    else if (this.#failure === undefined) this.#end.abort();
  }

  #breakOff(failure: RunletError): void {
    this.#failure = failure;
    this.#timer = setTimeout(() => this.#end.abort(), graceMs);
  }
}
