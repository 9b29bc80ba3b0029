import { Duplex } from "node:stream";
import { untilAborted } from "../../deadline.ts";
import { RunletError } from "../../errors.ts";
import type { AgentCall } from "./agent-call.ts";
import type { AgentLink } from "./agent-link.ts";

export interface PortOptions {
  signal?: AbortSignal | undefined;
  /** Told of each piece that moves, in either direction. */
  onMoved?: (() => void) | undefined;
}

/**
 * Connects to a port of the sandbox's loopback; the stream is that connection.
 * @throws `port_failed` if nobody listens there, `unavailable`, the signal's reason.
 */
export async function connectPort(
  link: AgentLink,
  port: number,
  { signal, onMoved }: PortOptions = {},
): Promise<Duplex> {
  const connection = new PortConnection(link, port, onMoved);
  try {
    await untilAborted(connection.opened, signal);
  } catch (error) {
    connection.destroy();
    throw error;
  }
  return connection;
}

class PortConnection extends Duplex {
  /** Settles once the connection stands, or when it never will. */
  readonly opened: Promise<void>;
  readonly #port: number;
  readonly #call: AgentCall;
  readonly #onMoved: (() => void) | undefined;
  readonly #opened = Promise.withResolvers<void>();
  /** Bytes of pieces that were pushed past what the reader wanted. */
  #unread: number[] = [];
  #stage: "opening" | "open" | "ended" = "opening";

  constructor(link: AgentLink, port: number, onMoved: (() => void) | undefined) {
    super({ allowHalfOpen: true });
    this.#port = port;
    this.#onMoved = onMoved;
    this.opened = this.#opened.promise;
    this.opened.catch(() => undefined);
    // What goes wrong is the guest's doing, and must not end the server where nobody listens for it.
    this.on("error", () => undefined);
    this.#call = link.open(
      "connect",
      { port },
      {
        what: `connect to port ${port}`,
        onEvent: (event) => this.#note(event),
        onData: (body) => this.#receive(body),
      },
    );
    this.#call.result.then(
      () => this.#end(),
      (error: Error) => this.#fail(error),
    );
  }

  override _read(): void {
    for (const bytes of this.#unread.splice(0)) this.#call.consumed(bytes);
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#onMoved?.();
    void this.#pass(chunk, done);
  }

  async #pass(chunk: Buffer, done: (error?: Error) => void): Promise<void> {
    try {
      await this.#call.write(chunk);
    } catch (error) {
      return done(error as Error);
    }
    done();
  }

  override _final(done: () => void): void {
    this.#call.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#call.cancel();
    done(error);
  }

  #note(event: Readonly<Record<string, unknown>>): void {
    if (event["end"] === true) return this.#end();
    if (this.#stage === "opening") this.#stage = "open";
    this.#opened.resolve();
  }

  #receive(body: Buffer): void {
    if (this.#stage !== "open") return this.#breach("sent more behind its end, or before it stood");
    this.#onMoved?.();
    if (this.push(body)) this.#call.consumed(body.byteLength);
    else this.#unread.push(body.byteLength);
  }

  #end(): void {
    if (this.#stage === "opening") return this.#breach("ended before it stood");
    if (this.#stage === "ended") return;
    this.#stage = "ended";
    this.push(null);
  }

  #breach(fact: string): void {
    this.#fail(
      new RunletError(
        "protocol_violation",
        `Cannot use port ${this.#port}: its connection ${fact}`,
      ),
    );
  }

  /** What had come before the failure is there to be read, if it was whole. */
  #fail(error: Error): void {
    this.#opened.reject(error);
    if (this.#stage === "ended" && !this.readableEnded) this.once("end", () => this.destroy(error));
    else this.destroy(error);
  }
}
