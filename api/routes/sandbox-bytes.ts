import { setTimeout as sleep } from "node:timers/promises";
import type { NodeEnv } from "./respond.ts";

/** Bytes of a sandbox as a response's body; a failure in their middle ends the connection before its end. */
export function sentBytes(
  bytes: ReadableStream<Uint8Array>,
  { outgoing }: NodeEnv["Bindings"],
  busy: Disposable,
): ReadableStream<Uint8Array> {
  const reader = bytes.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await reader.read().catch(() => "failed" as const);
        if (next !== "failed" && !next.done) return controller.enqueue(next.value);
        busy[Symbol.dispose]();
        if (next === "failed") outgoing.socket?.destroySoon();
        else controller.close();
      },
      cancel: async () => {
        busy[Symbol.dispose]();
        await reader.cancel();
      },
    },
    { highWaterMark: 0 },
  );
}

/** All bytes of a short file. */
export async function wholeOf(
  bytes: ReadableStream<Uint8Array>,
  busy: Disposable,
): Promise<Uint8Array<ArrayBuffer>> {
  using _busy = busy;
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** How much of a body that nobody wants any more is read all the same, so that its sender gets to the answer. */
const maxPassedOverBytes = 64 * 1024 * 1024;
const maxPassedOverMs = 5000;
/** A sender that says nothing for so long waits for the answer, or has stalled. */
const quietMs = 250;

/** Reads what is left of a request's body, up to a bound; what is more ends with the connection. */
export async function passOver({ incoming, outgoing }: NodeEnv["Bindings"]): Promise<void> {
  const endsAt = performance.now() + maxPassedOverMs;
  const chunks = incoming.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
  let passedBytes = 0;
  while (passedBytes <= maxPassedOverBytes && performance.now() < endsAt) {
    // A connection that breaks off has nothing left to be read.
    const next = await Promise.race([chunks.next().catch(() => undefined), sleep(quietMs)]);
    if (next === undefined) break;
    if (next.done === true) return;
    passedBytes += next.value.byteLength;
  }
  outgoing.shouldKeepAlive = false;
}
