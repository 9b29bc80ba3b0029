import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { poll } from "../../runtime/deadline.ts";

/** A request that a receiver was sent. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What a request is answered with; undefined leaves it without an answer. */
export type Answering = (
  request: Received,
  count: number,
) => { status: number; location?: string; isEndless?: boolean } | undefined;

/** An HTTP server of one test that keeps what it is sent. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly received: readonly Received[];
  /** Waits until so many requests have come, and answers them all. */
  until(count: number): Promise<readonly Received[]>;
}

/** Listens on a free port of the loopback; `answer` is told the request and the count of those before it. */
export async function startReceiver(
  answer: Answering = () => ({ status: 204 }),
): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const receive = async (): Promise<void> => {
      const body = (await buffer(request)).toString();
      const about = { path: request.url ?? "", headers: request.headers, body };
      const answered = answer(about, received.length);
      received.push(about);
      if (answered === undefined) return;
      const { status, location, isEndless = false } = answered;
      response.writeHead(status, location === undefined ? {} : { location });
      if (isEndless) response.write("and so on");
      else response.end();
    };
    // A sender that is killed breaks off.
    receive().catch(() => response.destroy());
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    until: async (count) =>
      await poll(
        `receive ${count} requests`,
        async () => (received.length >= count ? received : undefined),
        { timeoutMs: 20_000 },
      ),
    async [Symbol.asyncDispose](): Promise<void> {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** Checks who sent a request and when, as the README has it. */
export function isSigned({ headers, body }: Received, secret: string): boolean {
  const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signature } = headers;
  const signed = [id, time, body].join(".");
  const mac = createHmac("sha256", secret).update(signed).digest("base64");
  const [expected, given] = [Buffer.from(`v1,${mac}`), Buffer.from(String(signature))];
  const isRecent = Math.abs(Date.now() / 1000 - Number(time)) < 300;
  return isRecent && expected.length === given.length && timingSafeEqual(expected, given);
}
