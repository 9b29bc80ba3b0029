import { createHmac } from "node:crypto";

export interface SignedMessage {
  /** The same in each try, so that its receiver can tell a second one. */
  readonly id: string;
  readonly atSeconds: number;
  readonly body: Uint8Array;
}

/**
 * The headers that prove who sent a message and when, as the Standard Webhooks specification has them: an
 * HMAC-SHA256 over id, time and body. The key is the secret as it is, or the base64 behind `whsec_`.
 */
export function signatureHeaders(
  { id, atSeconds, body }: SignedMessage,
  secret: string,
): Record<string, string> {
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : secret;
  const mac = createHmac("sha256", key).update(`${id}.${atSeconds}.`).update(body);
  return {
    "webhook-id": id,
    "webhook-timestamp": String(atSeconds),
    "webhook-signature": `v1,${mac.digest("base64")}`,
  };
}
