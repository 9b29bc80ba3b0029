import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { firstLine, startChild } from "../harness/child.ts";
import type { HttpPeer, HttpServer } from "./peer.ts";

/** A plain Node HTTP server that does what the function does: no isolation, no record. */
export const nodeHttp: HttpPeer = {
  name: "node-http",
  kind: "http",
  missing: async () => undefined,
  open: async ({ signal }): Promise<HttpServer> => {
    await using stack = new AsyncDisposableStack();
    const child = stack.use(
      await startChild(process.execPath, {
        args: [fileURLToPath(import.meta.url)],
        stdio: ["ignore", "pipe", "inherit"],
      }),
    );
    const url = await firstLine(child, signal);
    const owned = stack.move();
    return { url, [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
  },
};

async function serve(): Promise<void> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { name } = JSON.parse(Buffer.concat(chunks).toString()) as { name: string };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ hello: name }));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
}

if (import.meta.main) await serve();
