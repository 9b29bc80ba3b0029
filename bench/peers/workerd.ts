import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { z } from "zod";
import { firstLine, startChild } from "../harness/child.ts";
import type { HttpPeer, HttpServer } from "./peer.ts";

const worker = `export default {
  async fetch(request) {
    const { name } = await request.json();
    return Response.json({ hello: name });
  },
};`;

const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .bench)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const bench :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2025-01-01",
);`;

const listening = z.object({ event: z.literal("listen"), port: z.number() });

/** Cloudflare's workerd, from the npm package of that name: an isolate a function, one process. */
export const workerd: HttpPeer = {
  name: "workerd",
  kind: "http",
  missing: async () =>
    binaryPath() === undefined ? "the npm package workerd is not installed" : undefined,
  open: async ({ directory, signal }): Promise<HttpServer> => {
    const binary = binaryPath();
    if (binary === undefined) throw new Error("workerd was there, and is gone");
    await writeFile(join(directory, "worker.js"), worker);
    await writeFile(join(directory, "config.capnp"), config);
    await using stack = new AsyncDisposableStack();
    const child = stack.use(
      await startChild(binary, {
        args: ["serve", "--control-fd=1", "config.capnp"],
        stdio: ["ignore", "pipe", "pipe"],
        cwd: directory,
      }),
    );
    const { port } = listening.parse(JSON.parse(await firstLine(child, signal)));
    const owned = stack.move();
    return {
      url: `http://127.0.0.1:${port}`,
      [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
    };
  },
};

/** The package's entry exports the path of its binary. */
function binaryPath(): string | undefined {
  const require = createRequire(import.meta.url);
  try {
    const { default: path } = require("workerd") as { default: string };
    return path;
  } catch {
    return undefined;
  }
}
