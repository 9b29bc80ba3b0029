/** Whoever is told of things as they come; disposing it ends that. */
export interface Followed extends Disposable {
  /** The next, as soon as there is one; undefined once there will be none. */
  next(): Promise<{ readonly type: string; readonly seq?: number } | undefined>;
}

/** Proxies end connections on which nothing comes, often after a minute. */
const keepAliveMs = 15_000;

/** What a follower is told as server-sent events. It ends with the response, and with its reader. */
export function eventStream(follower: Followed): Response {
  const encoder = new TextEncoder();
  let keepAlive: NodeJS.Timeout;
  const end = (): void => {
    clearInterval(keepAlive);
    follower[Symbol.dispose]();
  };
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      // The head goes out with the first bytes, and tells the caller that it follows from now on.
      controller.enqueue(encoder.encode(": following\n\n"));
      keepAlive = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(":\n\n"));
      }, keepAliveMs);
    },
    pull: async (controller) => {
      const event = await follower.next().catch((error: unknown) => {
        end();
        throw error;
      });
      if (event !== undefined) {
        const data = JSON.stringify(event);
        // Whoever reconnects says the last number that it has seen.
        const id = event.seq === undefined ? "" : `id: ${event.seq}\n`;
        controller.enqueue(encoder.encode(`${id}event: ${event.type}\ndata: ${data}\n\n`));
        return;
      }
      end();
      controller.close();
    },
    cancel: end,
  });
  const headers = { "content-type": "text/event-stream", "cache-control": "no-store" };
  return new Response(body, { headers });
}
