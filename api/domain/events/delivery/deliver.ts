import { randomBytes } from "node:crypto";
import type { EventRow } from "../../../../store/event-row.ts";
import { traceIdOf } from "../../../../store/trace-id.ts";
import { isRunletError, messageOf, RunletError } from "../../errors.ts";
import { headerOf } from "../../trace.ts";
import type { DispatchPolicy } from "../dispatcher.ts";
import type { Callbacks } from "./callbacks.ts";
import { post } from "./post.ts";
import { signatureHeaders } from "./signature.ts";

/**
 * A delivery is tried after 1 s, 2 s, 4 s and so on, for about 2 hours. Those of one function are bounded, so
 * that a receiver that hangs does not hold up the others.
 */
export const deliveryPolicy: DispatchPolicy = {
  async: { maxAttempts: 14, maxAgeMs: 86_400_000, backoffMs: 1_000 },
  concurrency: 4,
};

/** How many deliveries are made at once. */
export const deliveryConcurrency = 16;

const timeoutMs = 10_000;
/** The receiver says that it wants no more. */
const gone = 410;

export interface DeliverOptions {
  readonly signal: AbortSignal;
  /** The span that the request is, which its receiver is told. */
  readonly spanId?: string | undefined;
}

/**
 * Tells a URL of the end of an event, once.
 * @throws `delivery_failed` where it does not answer with 2xx in time; `failed_precondition` where no later try
 * would fare better: it may not be told, the secret is gone, or it wants no more.
 */
export async function deliver(
  callbacks: Callbacks,
  { id, body, callback, traceId, isSampled }: EventRow,
  { signal, spanId = randomBytes(8).toString("hex") }: DeliverOptions,
): Promise<void> {
  if (callback === null) throw new Error(`Delivery ${id} has no callback`);
  const secret = callbacks.secretOf(callback);
  const message = { id, atSeconds: Math.floor(Date.now() / 1000), body: Buffer.from(body ?? []) };
  const deadline = AbortSignal.timeout(timeoutMs);
  const status = await post({
    url: callback.url,
    headers: {
      "content-type": "application/json",
      "user-agent": "runlet",
      traceparent: headerOf(spanId, { id: traceId ?? traceIdOf(id), isSampled }),
      ...signatureHeaders(message, secret),
    },
    body: message.body,
    allowPrivate: callbacks.allowPrivate,
    signal: AbortSignal.any([signal, deadline]),
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    if (isRunletError(error)) throw error;
    throw failed(deadline.aborted ? `it took more than ${timeoutMs} ms` : messageOf(error));
  });
  if (status >= 200 && status < 300) return;
  if (status === gone) {
    throw new RunletError(
      "failed_precondition",
      "Cannot deliver: its receiver wants no more (410)",
    );
  }
  const isRedirect = status >= 300 && status < 400;
  throw failed(`the answer was ${status}${isRedirect ? ", and redirects are not followed" : ""}`);
}

function failed(why: string): RunletError {
  return new RunletError("delivery_failed", `Cannot deliver: ${why}`);
}
