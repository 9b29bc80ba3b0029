import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import { bodiless, joined, type ResponseHead, ServerResponse } from "./server-response.ts";

/** What is known to be no longer is read at once: a stream of it would cost more than its bytes. */
const smallBodyBytes = 64 * 1024;
/** How many pieces of a longer body wait to be read before its sender has to. */
const waitingPieces = 4;

interface ExchangeHooks {
  /** Told when it waits for a connection no more, perhaps more than once. */
  onUnqueued: () => void;
  /** Told when there is nothing more to come. */
  onOver: () => void;
}

/** One request, and its answer as undici reads it, whose own promises and streams cost as much as all else. */
export class Exchange implements Dispatcher.DispatchHandler {
  /** The answer once its head is there, and the body of a small one. */
  readonly answer: Promise<ServerResponse>;
  readonly #answer = Promise.withResolvers<ServerResponse>();
  readonly #hooks: ExchangeHooks;
  readonly #pieces: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #head: ResponseHead = { status: 0, headers: {} };
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  #trailers: IncomingHttpHeaders = {};
  #reason: Error | undefined;

  constructor(hooks: ExchangeHooks) {
    this.answer = this.#answer.promise;
    this.#hooks = hooks;
  }

  /** Gives it up, at whatever point it is. */
  abort(reason: Error): void {
    this.#reason ??= reason;
    // One that still waits for its connection is aborted when it has it.
    this.#answer.reject(reason);
    this.#controller?.abort(reason);
    this.#hooks.onUnqueued();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    this.#hooks.onUnqueued();
    if (this.#reason !== undefined) controller.abort(this.#reason);
  }

  onResponseStart(_: unknown, status: number, headers: IncomingHttpHeaders): void {
    // What comes before the answer (RFC 9110, 15.2).
    if (status < 200) return;
    this.#head = { status, headers };
    const lengthBytes = bodiless.has(status) ? 0 : Number(headers["content-length"] ?? Infinity);
    if (lengthBytes > smallBodyBytes) this.#respond(this.#open());
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Buffer): void {
    // Each resumption brings one: taken for a piece it would pause the answer again, and nothing else would ever run.
    if (piece.byteLength === 0) return;
    if (this.#stream === undefined) {
      this.#pieces.push(piece);
      return;
    }
    this.#stream.enqueue(piece);
    if ((this.#stream.desiredSize ?? 0) <= 0) controller.pause();
  }

  onResponseEnd(_: unknown, trailers: IncomingHttpHeaders): void {
    this.#hooks.onOver();
    this.#trailers = trailers;
    if (this.#stream === undefined) this.#respond(joined(this.#pieces));
    else this.#stream.close();
  }

  onResponseError(_: unknown, error: Error): void {
    this.#hooks.onUnqueued();
    this.#hooks.onOver();
    this.#answer.reject(error);
    this.#stream?.error(error);
  }

  #respond(body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>): void {
    this.#answer.resolve(new ServerResponse(this.#head, body, () => this.#trailers));
  }

  #open(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (stream) => void (this.#stream = stream),
        pull: () => this.#controller?.resume(),
        cancel: () => this.#controller?.abort(new Error("Nobody reads the answer")),
      },
      { highWaterMark: waitingPieces },
    );
  }
}
