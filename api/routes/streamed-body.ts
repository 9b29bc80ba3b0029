import type { HttpBindings } from "@hono/node-server";
import type { AnswerStream } from "../domain/answer-stream.ts";
import type { LogTail } from "../domain/log-tail.ts";

/**
 * A streamed answer as the body of a response. A failure in its middle ends the connection before the body has
 * its end, once all that came before it is sent: nothing else in HTTP tells a caller that there should be more.
 * After a good end goes `logTail` as a trailer, where there is one; the head has to say so.
 */
export function streamedBody(
  stream: AnswerStream,
  { outgoing }: HttpBindings,
  logTail?: LogTail,
): ReadableStream<Uint8Array> {
  // Nothing is taken ahead of the connection: what is taken is credit for the function.
  const strategy = { highWaterMark: 0 };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await stream.next().catch(() => "failed" as const);
        if (next === "failed") return outgoing.socket?.destroySoon();
        if (next !== undefined) return controller.enqueue(next);
        if (logTail !== undefined) outgoing.addTrailers({ "runlet-log-tail": logTail.toBase64() });
        controller.close();
      },
      cancel: () => stream.leave(),
    },
    strategy,
  );
}
