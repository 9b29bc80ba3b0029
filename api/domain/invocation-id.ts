import { randomUUID } from "node:crypto";

const maxCount = 0xfff;
let lastMs = 0;
let count = 0;

/**
 * A UUID v7 that is greater than all that were made before it: of one millisecond, they are counted (RFC 9562,
 * 6.2, method 1). Node makes the random half from bytes that it draws for many at once.
 */
export function newInvocationId(): string {
  const now = Date.now();
  if (now > lastMs) {
    lastMs = now;
    count = 0;
  } else if (++count > maxCount) {
    lastMs++;
    count = 0;
  }
  const counted = `7${count.toString(16).padStart(3, "0")}`;
  return `${idsFrom(lastMs)}-${counted}-${randomUUID().slice(19)}`;
}

/** What the ids of a moment, milliseconds since the epoch, begin with: all later ones are greater than it. */
export function idsFrom(atMs: number): string {
  const time = atMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}`;
}
