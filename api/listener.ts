import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { messageOf, RunletError } from "../runtime/errors.ts";
import type { Config } from "./config.ts";

/** A socket that is listened on. */
export interface Listener {
  readonly url: string;
  /** Stops accepting; resolves once the last connection has ended. */
  close(): Promise<void>;
  /** Ends the connections that are left. */
  cut(): void;
}

/** As long as the longest function: a body may arrive while one runs. Heads have node's own bound. */
const requestTimeoutMs = 900_000;

/** Listens. @throws `unavailable` where the place is taken or cannot be had. */
export async function listen(
  app: OpenAPIHono,
  config: Pick<Config, "host" | "port">,
): Promise<Listener> {
  const server = serve({
    fetch: app.fetch,
    hostname: config.host,
    port: config.port,
    serverOptions: { requestTimeout: requestTimeoutMs },
  }) as Server;
  try {
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
    cut: () => server.closeAllConnections(),
  };
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}
