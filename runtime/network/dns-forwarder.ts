import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { messageOf, RunletError } from "../errors.ts";
import { answerTo, type DnsAnswerOptions, failureOf, readQuestion } from "./dns-answer.ts";

export interface DnsForwarderOptions extends DnsAnswerOptions {
  /** Where to listen, and who alone is answered. */
  hostAddress: string;
  guestAddress: string;
}

const port = 53;
const maxQueryBytes = 512;
const lengthBytes = 2;
const maxConnections = 8;
const idleMs = 10_000;
/** Queries of one sandbox that are under way at once; more are told of a failure. */
const maxQueries = 32;

/** Answers the queries of one sandbox, over UDP and TCP. Disposing it closes both; what is under way is dropped. */
export class DnsForwarder implements AsyncDisposable {
  readonly #options: DnsForwarderOptions;
  readonly #datagrams: DatagramSocket = createSocket("udp4");
  readonly #server: Server = createServer();
  readonly #connections = new Set<Socket>();
  #queryCount = 0;
  #isClosed = false;

  private constructor(options: DnsForwarderOptions) {
    this.#options = options;
  }

  /** @throws `unavailable` where the address cannot be listened on. */
  static async open(options: DnsForwarderOptions): Promise<DnsForwarder> {
    const forwarder = new DnsForwarder(options);
    try {
      await forwarder.#listen();
      return forwarder;
    } catch (cause) {
      await forwarder[Symbol.asyncDispose]();
      throw new RunletError(
        "unavailable",
        `Cannot answer DNS queries at ${options.hostAddress}:${port}: ${messageOf(cause)}. ` +
          "Have other DNS servers of this host listen on addresses of their own instead of all",
        { cause },
      );
    }
  }

  async #listen(): Promise<void> {
    const { hostAddress: address } = this.#options;
    const bound = once(this.#datagrams, "listening");
    this.#datagrams.bind({ address, port, exclusive: true });
    await bound;
    this.#datagrams.on("error", () => undefined);
    this.#datagrams.on("message", (message, sender) => {
      void this.#onDatagram(message, sender.address, sender.port);
    });
    this.#server.maxConnections = maxConnections;
    this.#server.on("connection", (socket) => this.#onConnection(socket));
    const listening = once(this.#server, "listening");
    this.#server.listen({ host: address, port, exclusive: true });
    await listening;
    this.#server.on("error", () => undefined);
  }

  async #onDatagram(message: Buffer, address: string, senderPort: number): Promise<void> {
    if (address !== this.#options.guestAddress || message.length > maxQueryBytes) return;
    const answer = await this.#answer(message, "udp");
    if (answer === undefined || this.#isClosed) return;
    this.#datagrams.send(answer, senderPort, address, () => undefined);
  }

  #onConnection(socket: Socket): void {
    if (socket.remoteAddress !== this.#options.guestAddress) {
      socket.destroy();
      return;
    }
    this.#connections.add(socket);
    socket.once("close", () => this.#connections.delete(socket));
    socket.setTimeout(idleMs, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    void this.#converse(socket).catch(() => socket.destroy());
  }

  /** One query after the other, each behind its length; whoever sends none, or reads no answer, is put off. */
  async #converse(socket: Socket): Promise<void> {
    let received = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      received = Buffer.concat([received, chunk]);
      for (;;) {
        const message = takeMessage(received);
        if (message === undefined) break;
        received = received.subarray(lengthBytes + message.length);
        const answer = await this.#answer(message, "tcp");
        if (answer === undefined) throw new TypeError("no query");
        const length = Buffer.alloc(lengthBytes);
        length.writeUInt16BE(answer.length);
        if (!socket.write(Buffer.concat([length, answer]))) throw new RangeError("no reader");
      }
    }
  }

  async #answer(message: Buffer, transport: "udp" | "tcp"): Promise<Buffer | undefined> {
    const asked = readQuestion(message);
    if (asked === undefined) return undefined;
    if (this.#queryCount >= maxQueries) return failureOf(asked);
    this.#queryCount++;
    try {
      return await answerTo(asked, transport, this.#options);
    } finally {
      this.#queryCount--;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const ends = [closed(this.#datagrams), closed(this.#server)];
    for (const socket of this.#connections) socket.destroy();
    await Promise.all(ends);
  }
}

/** The first message of what came; undefined until it is whole. @throws for one that is too long. */
function takeMessage(received: Buffer): Buffer | undefined {
  if (received.length < lengthBytes) return undefined;
  const length = received.readUInt16BE(0);
  if (length > maxQueryBytes) throw new RangeError("the query is too long");
  if (received.length < lengthBytes + length) return undefined;
  return received.subarray(lengthBytes, lengthBytes + length);
}

/** What was never bound or is closed already throws or calls back with an error, and is closed all the same. */
async function closed(socket: { close(callback: () => void): unknown }): Promise<void> {
  await new Promise<void>((resolve) => {
    try {
      socket.close(() => resolve());
    } catch {
      resolve();
    }
  });
}
