import type { HttpBindings } from "@hono/node-server";
import type { AnswerStream } from "../domain/answer-stream.ts";

/**
 * A streamed answer as the body of a response. A failure in its middle ends the connection before the body has
 * its end, once all that came before it is sent: nothing else in HTTP tells a caller that there should be more.
 */
export function streamedBody(
  stream: AnswerStream,
  { outgoing }: HttpBindings,
): ReadableStream<Uint8Array> {
  // Nothing is taken ahead of the connection: what is taken is credit for the function.
  const strategy = { highWaterMark: 0 };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await stream.next().catch(() => "failed" as const);
        if (next === "failed") outgoing.socket?.destroySoon();
        else if (next === undefined) controller.close();
        else controller.enqueue(next);
      },
      cancel: () => stream.leave(),
    },
    strategy,
  );
}
