import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Connection } from "./connection.ts";
import { ConnectionError } from "./errors.ts";
import { explained } from "./send.ts";
import { joined, ServerResponse } from "./server-response.ts";

/** Opens a connection that goes on as one of TCP. @throws ApiError, ConnectionError. */
export async function openTunnel(connection: Connection, path: string): Promise<Duplex> {
  const url = connection.url(path);
  // Only who opens one waits for it to load.
  const { request } = await (url.protocol === "https:"
    ? import("node:https")
    : import("node:http"));
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const asking = request(url, {
    agent: false,
    headers: { ...connection.headers, connection: "Upgrade", upgrade: "tcp" },
  });
  asking.once("upgrade", (_message, socket: Duplex, head) => {
    socket.unshift(head);
    resolve(socket);
  });
  asking.once("response", (message) => void refuse(connection, message).catch(reject));
  asking.on("error", (cause) => reject(explained(connection.origin, cause)));
  asking.end();
  return await promise;
}

/** Opens a WebSocket; `onMade` sees it before anything can have come. @throws ApiError, ConnectionError. */
export async function openWebSocket(
  connection: Connection,
  path: string,
  onMade: (socket: WebSocket) => void,
): Promise<WebSocket> {
  // Only who opens one waits for it to load.
  const { WebSocket } = await import("ws");
  const url = connection.url(path);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const address = url.href.replace(/^http/, "ws");
  const socket = new WebSocket(address, { headers: connection.headers, perMessageDeflate: false });
  onMade(socket);
  socket.once("open", resolve);
  socket.once("unexpected-response", (_asking, message) => {
    void refuse(connection, message).catch(reject);
  });
  socket.on("error", (cause) => reject(explained(connection.origin, cause)));
  await promise;
  return socket;
}

/** Throws what an answer says that should have been a connection. */
async function refuse(connection: Connection, message: IncomingMessage): Promise<never> {
  const { statusCode: status = 0, headers } = message;
  const body = joined(await message.toArray());
  await connection.checked(new ServerResponse({ status, headers }, body));
  throw new ConnectionError(
    "Cannot open the connection: something between here and Runlet does not pass upgrades of it on",
  );
}
