import type { IncomingMessage } from "node:http";
import PQueue from "p-queue";
import { type WebSocket, WebSocketServer } from "ws";
import { isRunletError, messageOf } from "../domain/errors.ts";
import type { CommandFollower } from "../domain/sandboxes/command-follower.ts";
import { type TerminalMessage, terminalMessage } from "../schema/terminal.ts";
import type { UpgradeResponse } from "./upgrade.ts";

/** What a viewer may do to a terminal. */
export interface TerminalInput {
  write(body: Uint8Array, signal: AbortSignal): Promise<void>;
  resize(size: TerminalMessage): Promise<void>;
}

/** What is typed and not taken yet, at most, and one message of it. */
const maxPendingBytes = 1024 * 1024;
/** What a message costs beside its bytes, so that tiny and empty ones are bounded too. */
const messageCostBytes = 256;
const heartbeatMs = 30_000;
/** Of the WebSocket protocol. */
const closeCodes = { normal: 1000, badMessage: 1008, failed: 1011 } as const;

const sockets = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: maxPendingBytes,
});

/** Makes a connection the terminal of a command for one viewer, until either has ended. */
export async function serveTerminal(
  upgrade: UpgradeResponse,
  incoming: IncomingMessage,
  { follower, input }: { follower: CommandFollower; input: TerminalInput },
): Promise<void> {
  using _follower = follower;
  const { socket, head } = upgrade.takeOver();
  const { promise, resolve } = Promise.withResolvers<WebSocket | undefined>();
  socket.once("close", () => resolve(undefined));
  sockets.handleUpgrade(incoming, socket, head, resolve);
  const viewer = await promise;
  if (viewer !== undefined) await new TerminalSocket(viewer, follower, input).run();
}

/** Bytes are what is typed and what is shown; texts are JSON, all else that there is to say. */
class TerminalSocket {
  readonly #socket: WebSocket;
  readonly #follower: CommandFollower;
  readonly #input: TerminalInput;
  readonly #leaving = new AbortController();
  /** In the order in which they came. */
  readonly #inputs = new PQueue({ concurrency: 1 });
  readonly #heartbeat: NodeJS.Timeout;
  #pendingBytes = 0;
  #isAlive = true;

  constructor(socket: WebSocket, follower: CommandFollower, input: TerminalInput) {
    this.#socket = socket;
    this.#follower = follower;
    this.#input = input;
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
    this.#heartbeat.unref();
    socket.on("error", () => socket.terminate());
    socket.on("pong", () => (this.#isAlive = true));
    socket.once("close", () => this.#leave());
    socket.on("message", (body, isBinary) => this.#receive(body as Buffer, isBinary));
  }

  /** Shows what comes, as fast as it is taken. */
  async run(): Promise<void> {
    for (;;) {
      const piece = await this.#follower.nextPiece();
      if (piece === undefined) break;
      await this.#send(piece.type === "output" ? piece.body : JSON.stringify(piece));
    }
    this.#socket.close(closeCodes.normal);
  }

  #leave(): void {
    clearInterval(this.#heartbeat);
    this.#leaving.abort();
    this.#inputs.clear();
    this.#follower[Symbol.dispose]();
  }

  /** Ends a connection whose other end has gone without a word; one that is held back cannot answer. */
  #beat(): void {
    if (this.#socket.isPaused) return;
    if (!this.#isAlive) return this.#socket.terminate();
    this.#isAlive = false;
    this.#socket.ping();
  }

  #receive(body: Buffer, isBinary: boolean): void {
    const cost = body.byteLength + messageCostBytes;
    this.#pendingBytes += cost;
    if (this.#pendingBytes >= maxPendingBytes) this.#socket.pause();
    void this.#inputs.add(async () => {
      await this.#take(body, isBinary);
      this.#pendingBytes -= cost;
      if (this.#pendingBytes < maxPendingBytes) this.#socket.resume();
    });
  }

  async #take(body: Buffer, isBinary: boolean): Promise<void> {
    const { signal } = this.#leaving;
    if (signal.aborted) return;
    try {
      if (isBinary) return await this.#input.write(body, signal);
      const message = messageIn(body);
      if (message !== undefined) return await this.#input.resize(message);
      this.#socket.close(closeCodes.badMessage, "expected bytes, or a resize message of JSON");
    } catch (error) {
      // Of one that has ended, the end is told.
      if (signal.aborted || isRunletError(error, "not_found")) return;
      await this.#send(JSON.stringify({ type: "gone", message: messageOf(error) }));
      this.#socket.close(closeCodes.failed);
    }
  }

  async #send(data: Buffer | string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#socket.send(data, () => resolve());
    await promise;
  }
}

function messageIn(body: Buffer): TerminalMessage | undefined {
  try {
    return terminalMessage.safeParse(JSON.parse(body.toString())).data;
  } catch {
    return undefined;
  }
}
