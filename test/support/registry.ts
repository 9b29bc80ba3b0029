import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { wheelOf } from "./packages.ts";
import { tarGzOf } from "./tar.ts";

/** A registry for npm and an index for pip, both with the one package `greeting`. */
export interface Registry extends AsyncDisposable {
  readonly host: string;
  readonly npm: string;
  readonly pip: string;
  /** The paths that were asked for. */
  readonly asked: readonly string[];
}

/** Serves on the loopback of the host. */
export async function startRegistry(): Promise<Registry> {
  const wheel = wheelOf("greeting", "WORD = 'from the index'\n");
  const tarball = tarGzOf(
    {
      path: "package/package.json",
      text: '{"name": "greeting", "version": "1.0.0", "exports": "./index.mjs"}',
    },
    { path: "package/index.mjs", text: 'export const word = "from the registry";' },
  );
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    const version = { name: "greeting", version: "1.0.0", dist: { tarball: `${npm}greeting.tgz` } };
    const bodies: Record<string, string | Buffer> = {
      "/npm/greeting": JSON.stringify({
        name: "greeting",
        "dist-tags": { latest: "1.0.0" },
        versions: { "1.0.0": version },
      }),
      "/npm/greeting.tgz": tarball,
      "/pip/greeting/": `<!DOCTYPE html><a href="${pip}/${wheel.path}">${wheel.path}</a>`,
      [`/pip/${wheel.path}`]: Buffer.from(wheel.base64, "base64"),
    };
    const body = bodies[path];
    const type = path.endsWith("/") ? "text/html" : "application/json";
    response.writeHead(body === undefined ? 404 : 200, { "content-type": type });
    response.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const npm = `http://${host}/npm/`;
  const pip = `http://${host}/pip`;
  return {
    host,
    npm,
    pip,
    asked,
    async [Symbol.asyncDispose](): Promise<void> {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
