import { on } from "node:events";
import type { WebSocket } from "ws";
import type { CommandEvent } from "../schema/sandbox-command.ts";
import type { TerminalMessage } from "../schema/terminal.ts";
import type { Connection } from "./connection.ts";
import { ConnectionError } from "./errors.ts";
import { openWebSocket } from "./open-upgraded.ts";

/** What a viewer of a terminal is told. */
export type TerminalEvent =
  | { readonly type: "output"; readonly body: Uint8Array }
  | Exclude<CommandEvent, { type: "output" }>;

/** How many messages may wait here for their reader before no more are read. */
const highWaterMark = 64;

/** A look at a command's terminal; disposing it ends the look, and not the command. */
export class Terminal implements AsyncIterable<TerminalEvent>, Disposable {
  /** The command's id, with which the terminal is found again. */
  readonly commandId: string;
  readonly #socket: WebSocket;
  readonly #messages: AsyncIterator<[Buffer, boolean]>;

  private constructor(
    commandId: string,
    socket: WebSocket,
    messages: AsyncIterator<[Buffer, boolean]>,
  ) {
    this.commandId = commandId;
    this.#socket = socket;
    this.#messages = messages;
  }

  /** Opens a look at the terminal that a path is of. @throws ApiError, ConnectionError. */
  static async open(connection: Connection, path: string, commandId: string): Promise<Terminal> {
    let messages: AsyncIterator<[Buffer, boolean]> | undefined;
    const socket = await openWebSocket(connection, path, (made) => {
      const bounds = { highWaterMark, lowWaterMark: 1 };
      messages = on(made, "message", { close: ["close"], ...bounds }) as AsyncIterator<
        [Buffer, boolean]
      >;
    });
    if (messages === undefined) throw new Error("A socket was not shown");
    return new Terminal(commandId, socket, messages);
  }

  /** All that there is to tell, up to the command's end. @throws ConnectionError if the connection breaks. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TerminalEvent> {
    for (;;) {
      const next = await this.#messages.next();
      if (next.done) break;
      const [body, isBinary] = next.value;
      const event = isBinary
        ? ({ type: "output", body } as const)
        : (JSON.parse(body.toString()) as TerminalEvent);
      yield event;
      if (event.type === "exit" || event.type === "gone") return;
    }
    throw new ConnectionError(
      "Cannot go on with the terminal: its connection broke. Open it again",
    );
  }

  /** Types; resolves once it is sent. */
  async write(typed: string | Uint8Array): Promise<void> {
    await this.#send(typeof typed === "string" ? Buffer.from(typed) : typed);
  }

  /** Sets the size, for all that look at it. */
  async resize(size: { cols: number; rows: number }): Promise<void> {
    await this.#send(JSON.stringify({ type: "resize", ...size } satisfies TerminalMessage));
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
  }

  async #send(data: string | Uint8Array): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#socket.send(data, (cause) => {
      if (cause) reject(new ConnectionError("Cannot reach the terminal: it is closed", { cause }));
      else resolve();
    });
    await promise;
  }
}
