import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { once } from "node:events";
import { type Duplex, pipeline } from "node:stream";

/** A proxy on a socket of its own; disposing it cuts what goes through it. */
export interface RegistryProxy extends AsyncDisposable {
  /** The directory that holds the socket and nothing else. */
  readonly directory: string;
}

/** The name of the socket in its directory. */
export const proxySocket = "proxy";

const maxConnections = 64;
const idleMs = 60_000;

/**
 * Opens an HTTP proxy that connects to `hosts` and to no other: the one way out of a container that has no
 * network. A host without a port is one of the web's two, 443 and 80.
 */
export async function openRegistryProxy(
  parent: string,
  hosts: readonly string[],
): Promise<RegistryProxy> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(parent, "net-"));
  stack.defer(async () => await rm(directory, { recursive: true, force: true }));
  const sockets = new Set<Duplex>();
  const keep = (socket: Duplex): void => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  };
  const isAllowed = (host: string, port: number): boolean =>
    hosts.includes(`${host}:${port}`) || ((port === 443 || port === 80) && hosts.includes(host));
  const server = createServer((incoming, response) => forward(incoming, response, isAllowed));
  server.maxConnections = maxConnections;
  server.on("connection", keep);
  server.on("connect", (incoming: IncomingMessage, client: Duplex, head: Buffer) => {
    const { hostname, port } = targetOf(`https://${incoming.url ?? ""}`);
    if (!isAllowed(hostname, port))
      return void client.end(`HTTP/1.1 403 ${refusal(hostname)}\r\n\r\n`);
    const upstream = connect({ host: hostname, port, timeout: idleMs });
    keep(upstream);
    upstream.on("timeout", () => upstream.destroy());
    upstream.once("connect", () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      if (head.length > 0) upstream.write(head);
      pipeline(client, upstream, client, () => undefined);
    });
    upstream.once("error", () => client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
  });
  const path = join(directory, proxySocket);
  server.listen(path);
  await once(server, "listening");
  stack.defer(async () => {
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  // The guest is a user of its own; who else could reach it is kept out above.
  await chmod(path, 0o666);
  await chmod(directory, 0o711);
  const owned = stack.move();
  return { directory, [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
}

function forward(
  incoming: IncomingMessage,
  response: ServerResponse,
  isAllowed: (host: string, port: number) => boolean,
): void {
  const url = incoming.url ?? "";
  const { hostname, port, path } = targetOf(url);
  if (!url.startsWith("http://") || !isAllowed(hostname, port)) {
    response.writeHead(403, refusal(hostname)).end();
    return;
  }
  const { method, headers } = incoming;
  const { "proxy-connection": _own, ...rest } = headers;
  const upstream = request({ hostname, port, path, method, headers: rest, timeout: idleMs });
  upstream.on("timeout", () => upstream.destroy(new Error("no answer in time")));
  upstream.on("error", () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  upstream.on("response", (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    pipeline(answer, response, () => undefined);
  });
  response.on("close", () => upstream.destroy());
  pipeline(incoming, upstream, () => undefined);
}

function targetOf(url: string): { hostname: string; port: number; path: string } {
  const target = URL.parse(url);
  if (target === null) return { hostname: "", port: 0, path: "" };
  const port = Number(target.port) || (target.protocol === "https:" ? 443 : 80);
  return { hostname: target.hostname, port, path: target.pathname + target.search };
}

function refusal(host: string): string {
  return `${/^[\w.[\]:-]{1,253}$/.test(host) ? host : "The host"} is not among RUNLET_BUILD_HOSTS`;
}
