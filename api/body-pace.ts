import type { HttpBindings } from "@hono/node-server";

/** How long a sender of a body may send nothing. */
const quietMs = 30_000;

/**
 * Ends a request with 408 whose sender sends nothing of its body for a while, until it is disposed. Who is slow to
 * read a body is given the time: then there is something to be read. So is who has been answered already.
 */
export function requirePace(
  { incoming, outgoing }: Pick<HttpBindings, "incoming" | "outgoing">,
  withinMs = quietMs,
): Disposable | undefined {
  const { "content-length": length = "0", "transfer-encoding": encoding } = incoming.headers;
  if (length === "0" && encoding === undefined) return undefined;
  const { socket } = incoming;
  let { bytesRead } = socket;
  let { readableLength } = incoming;
  const timer = setInterval(() => {
    // What was there the last time held the sender back, even if it has been read since.
    const isQuiet =
      socket.bytesRead === bytesRead && readableLength + incoming.readableLength === 0;
    ({ bytesRead } = socket);
    ({ readableLength } = incoming);
    if (incoming.complete || outgoing.headersSent) return clearInterval(timer);
    if (!isQuiet) return;
    clearInterval(timer);
    const told = `Cannot take the request: nothing of its body has come for ${withinMs} ms. Send it again\n`;
    const headers = { "content-type": "text/plain; charset=utf-8", connection: "close" };
    // What the request was for learns of it as of any caller who goes away.
    outgoing.writeHead(408, headers).end(told, () => socket.destroySoon());
  }, withinMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
