import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** A request that went through, and what it was answered with. */
export interface Exchange {
  readonly method: string;
  readonly url: URL;
  readonly requestHeaders: Headers;
  readonly requestBody: Buffer;
  readonly status: number;
  readonly headers: Headers;
  /** What has come of the answer's body so far. */
  readonly chunks: Uint8Array[];
}

/** Stands before a server and keeps what goes through it. */
export interface RecordingProxy extends AsyncDisposable {
  readonly url: string;
  readonly exchanges: readonly Exchange[];
}

/** Headers that are about one connection, of which there are two; neither becomes something else. */
const ofConnection = [
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "keep-alive",
  "upgrade",
  "sec-websocket-key",
  "sec-websocket-version",
];

/** Starts a proxy before the server at `target`. */
export async function startRecordingProxy(target: string): Promise<RecordingProxy> {
  const exchanges: Exchange[] = [];
  const server = createServer((incoming, outgoing) => {
    forward(incoming, outgoing).catch((error: unknown) => outgoing.destroy(error as Error));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");

  async function forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = "GET", url: path = "/" } = incoming;
    const abort = new AbortController();
    outgoing.once("close", () => abort.abort());
    const url = new URL(path, target);
    const requestHeaders = new Headers(incoming.headers as Record<string, string>);
    for (const name of ofConnection) requestHeaders.delete(name);
    const requestBody = await buffer(incoming);
    const response = await fetch(url, {
      method,
      headers: requestHeaders,
      ...(requestBody.length > 0 && { body: new Uint8Array(requestBody) }),
      signal: abort.signal,
    });
    const { status, headers } = response;
    const chunks: Uint8Array[] = [];
    exchanges.push({ method, url, requestHeaders, requestBody, status, headers, chunks });
    const passed = [...headers].filter(([name]) => !ofConnection.includes(name));
    outgoing.writeHead(status, Object.fromEntries(passed));
    outgoing.flushHeaders();
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      outgoing.write(chunk);
    }
    outgoing.end();
  }

  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    exchanges,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
