import { type ClientRequest, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isRunletError, messageOf, RunletError } from "../domain/errors.ts";
import { type HeaderList, headersOfGuest } from "./guest-headers.ts";
import { UpgradeResponse } from "./upgrade.ts";

/** A request as a server inside is to get it. */
export interface GuestRequest {
  readonly incoming: IncomingMessage;
  /** With the query, byte for byte. */
  readonly path: string;
  readonly headers: HeaderList;
}

/** What a server inside answers, and the connection that is no more one of HTTP, if it becomes something else. */
interface GuestAnswer {
  readonly message: IncomingMessage;
  readonly upgraded?: { socket: Duplex; head: Buffer };
}

/**
 * Has a server behind a connection answer a request, and ends the connection.
 * @throws `port_failed` as long as its caller has got nothing of an answer.
 */
export async function exchange(
  connection: Duplex,
  asked: GuestRequest,
  outgoing: ServerResponse,
): Promise<void> {
  const upgrade = outgoing instanceof UpgradeResponse ? outgoing : undefined;
  const leave = (): void => void connection.destroy();
  outgoing.once("close", leave);
  try {
    const { message, upgraded } = await ask(connection, asked, upgrade?.protocol);
    if (upgraded === undefined) return await answer(message, outgoing);
    if (upgrade === undefined) throw new Error("it went over to another protocol unasked");
    outgoing.off("close", leave);
    upgraded.socket.unshift(upgraded.head);
    await join(upgrade, upgraded.socket, headersOfGuest(message));
  } catch (error) {
    // What has begun is cut short, which tells its caller.
    if (outgoing.headersSent) return;
    throw isRunletError(error) ? error : noAnswer(error);
  } finally {
    outgoing.off("close", leave);
    connection.destroy();
  }
}

/** Makes the connection of a request one to `guest`, until both sides have ended. */
export async function join(
  upgrade: UpgradeResponse,
  guest: Duplex,
  headers: HeaderList = [],
): Promise<void> {
  const { socket, head } = upgrade.takeOver();
  const lines = [...headers, ["connection", "Upgrade"], ["upgrade", upgrade.protocol]];
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${text}\r\n`, "latin1");
  socket.unshift(head);
  await Promise.allSettled([pipeline(socket, guest), pipeline(guest, socket)]);
}

async function ask(
  connection: Duplex,
  { incoming, path, headers }: GuestRequest,
  protocol: string | undefined,
): Promise<GuestAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<GuestAnswer>();
  const asking: ClientRequest = request({
    createConnection: () => connection,
    method: incoming.method ?? "GET",
    path,
    headers: [...headers, ...framingOf(incoming, protocol)].flat(),
  });
  asking.once("response", (message) => resolve({ message }));
  asking.once("upgrade", (message, socket, head) =>
    resolve({ message, upgraded: { socket, head } }),
  );
  asking.on("error", reject);
  if (protocol === undefined) incoming.pipe(asking);
  else asking.end();
  return await promise;
}

async function answer(message: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const headers = headersOfGuest(message);
  const length = message.headers["content-length"];
  if (length !== undefined) headers.push(["content-length", length]);
  outgoing.writeHead(message.statusCode ?? 0, headers.flat());
  await pipeline(message, outgoing);
}

/** How one message travels on the way to the guest. */
function framingOf({ method = "GET", headers }: IncomingMessage, protocol?: string): HeaderList {
  if (protocol !== undefined)
    return [
      ["connection", "Upgrade"],
      ["upgrade", protocol],
    ];
  const close: [string, string] = ["connection", "close"];
  if (headers["transfer-encoding"] !== undefined) return [close, ["transfer-encoding", "chunked"]];
  const isEmpty = headers["content-length"] === undefined;
  // Node would send these in chunks.
  return isEmpty && ["POST", "PUT", "PATCH"].includes(method)
    ? [close, ["content-length", "0"]]
    : [close];
}

function noAnswer(cause: unknown): RunletError {
  return new RunletError(
    "port_failed",
    `Cannot get an answer from the server in the sandbox: ${messageOf(cause)}`,
    { cause },
  );
}
