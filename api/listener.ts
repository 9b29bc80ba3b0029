import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { messageOf, RunletError } from "../runtime/errors.ts";
import type { Config } from "./config.ts";
import type { Shed } from "./load-shedder.ts";
import { UpgradeResponse, wantsUpgrade } from "./routes/upgrade.ts";

/** A socket that is listened on. */
export interface Listener {
  readonly url: string;
  /** Stops accepting; resolves once the last connection has ended. */
  close(): Promise<void>;
  /** Ends the connections that are left. */
  cut(): void;
}

/** As long as the longest function: a body may arrive while one runs. */
const requestTimeoutMs = 900_000;
/** A head is a few packets; who sends it byte by byte only means to keep a connection. */
const headersTimeoutMs = 5_000;
const lookAtConnectionsMs = 1_000;

/** What comes before a request gets to the app. */
interface Before {
  readonly shed: Shed;
  /** Told of each request first of all; the answer is called at its end. */
  readonly onRequest: () => () => void;
}

/** Listens; what is shed never gets to the app. @throws `unavailable` where the place is taken or cannot be had. */
export async function listen(
  app: OpenAPIHono,
  config: Pick<Config, "host" | "port" | "maxConnections">,
  { shed, onRequest }: Before,
): Promise<Listener> {
  const answer = async (request: Request, env: HttpBindings): Promise<Response> => {
    const response = await app.fetch(request, env);
    // A route may have answered by itself, or have taken the connection; what becomes of its response on the way
    // here, as for HEAD, must not be sent.
    const isAnswered = env.outgoing.headersSent || env.outgoing.socket === null;
    return isAnswered ? RESPONSE_ALREADY_SENT : response;
  };
  const serve = getRequestListener(answer as typeof app.fetch);
  const options = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: headersTimeoutMs,
    connectionsCheckingInterval: lookAtConnectionsMs,
    shouldUpgradeCallback: wantsUpgrade,
  };
  const server = createServer(options, (request, response) => {
    response.once("close", onRequest());
    if (!shed(request, response)) void serve(request, response);
  });
  server.maxConnections = config.maxConnections;
  const upgraded = serveUpgrades(server, async (request, response) => {
    // Nobody tells of its end: what it becomes goes on for long, and is young only at first.
    onRequest();
    await serve(request, response);
  });
  try {
    server.listen(config.port, config.host);
    await once(server, "listening");
  } catch (cause) {
    const where = `${config.host}:${config.port}`;
    const why = isTaken(cause) ? "another program does" : messageOf(cause);
    throw new RunletError(
      "unavailable",
      `Cannot listen on ${where}: ${why}. Choose another place with RUNLET_HOST and RUNLET_PORT`,
      { cause },
    );
  }
  const { address, port, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${port}`,
    async close(): Promise<void> {
      const closed = once(server, "close");
      server.close();
      server.closeIdleConnections();
      await closed;
    },
    cut(): void {
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
    },
  };
}

/**
 * Has what wants its connection to become something else answered, too. Answers with these connections, which the
 * server does not count among its own any more.
 */
function serveUpgrades(
  server: Server,
  answer: (request: IncomingMessage, response: UpgradeResponse) => Promise<void>,
): ReadonlySet<Socket> {
  const upgraded = new Set<Socket>();
  server.on("upgrade", (request: IncomingMessage, _socket, head: Buffer) => {
    const { socket } = request;
    upgraded.add(socket);
    socket.once("close", () => upgraded.delete(socket));
    void answer(request, new UpgradeResponse(request, head));
  });
  return upgraded;
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}
