import type { Duplex } from "node:stream";
import { Methods } from "./methods.ts";
import { openTunnel } from "./open-upgraded.ts";
import { pathOf } from "./request.ts";
import { send, type SendOptions } from "./send.ts";

/** What a client does with servers that run in a sandbox. */
export class SandboxPortMethods extends Methods {
  /** Sends a request to a server inside, whatever it answers: `path` begins with a slash. */
  async fetchPort(
    sandboxId: string,
    port: number,
    path: string,
    options: Partial<SendOptions> = {},
  ): Promise<Response> {
    const { origin, pathname, search } = this.connection.url(
      pathOf("sandboxes", sandboxId, "ports", String(port)) + path,
    );
    const headers = { ...options.headers, ...this.connection.headers };
    return (
      await send(origin, pathname + search, { method: "GET", ...options, headers })
    ).toFetched();
  }

  /** A connection to a port of the sandbox, whatever that speaks. */
  async connectPort(sandboxId: string, port: number): Promise<Duplex> {
    return await openTunnel(this.connection, pathOf("sandboxes", sandboxId, "ports", String(port)));
  }
}
