import { Duplex } from "node:stream";
import { untilAborted } from "../../deadline.ts";
import type { AgentCall } from "./agent-call.ts";
import type { AgentLink } from "./agent-link.ts";

/** Connects to a port of the sandbox's loopback; the stream is that connection. @throws `unavailable`. */
export async function connectPort(
  link: AgentLink,
  port: number,
  signal?: AbortSignal,
): Promise<Duplex> {
  const opened = Promise.withResolvers<void>();
  let connection: PortConnection | undefined;
  const call = link.open(
    "connect",
    { port },
    {
      what: `connect to port ${port}`,
      onEvent: (event) => {
        if (event["end"] === true) connection?.push(null);
        else opened.resolve();
      },
      onData: (body) => connection?.receive(body),
    },
  );
  call.result.catch(opened.reject);
  connection = new PortConnection(call);
  try {
    await untilAborted(opened.promise, signal);
  } catch (error) {
    connection.destroy();
    throw error;
  }
  return connection;
}

class PortConnection extends Duplex {
  readonly #call: AgentCall;
  /** Bytes of pieces that were pushed past what the reader wanted. */
  #unread: number[] = [];

  constructor(call: AgentCall) {
    super({ allowHalfOpen: true });
    this.#call = call;
    call.result.then(
      () => this.push(null),
      (error: Error) => this.destroy(error),
    );
  }

  receive(body: Buffer): void {
    if (this.push(body)) this.#call.consumed(body.byteLength);
    else this.#unread.push(body.byteLength);
  }

  override _read(): void {
    for (const bytes of this.#unread.splice(0)) this.#call.consumed(bytes);
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    void this.#pass(chunk, done);
  }

  async #pass(chunk: Buffer, done: (error?: Error) => void): Promise<void> {
    await this.#call.write(chunk);
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
}
