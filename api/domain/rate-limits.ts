import { LRUCache } from "lru-cache";
import type { RateLimit } from "../schema/rate-limit.ts";
import { RateLimitError } from "./errors.ts";

/** How many callers are kept in mind: whoever was silent while so many others called begins with a full bucket. */
const maxCallers = 50_000;

/**
 * How often each function may be called, by caller: a bucket of tokens for each, of which a call takes one and
 * which fills as time goes. What is kept of a bucket is when it will be full again.
 */
export class RateLimits {
  readonly #fullAtMs: LRUCache<string, number>;
  readonly #nowMs: () => number;

  constructor({ max = maxCallers, nowMs = () => performance.now() } = {}) {
    this.#fullAtMs = new LRUCache({ max });
    this.#nowMs = nowMs;
  }

  /** Takes a token of a caller's bucket. @throws RateLimitError if there is none. */
  take(functionName: string, caller: string, limit: RateLimit): void {
    const { perSecond, burst = Math.max(1, Math.ceil(perSecond)) } = limit;
    const key = `${functionName} ${caller}`;
    const nowMs = this.#nowMs();
    const tokenMs = 1000 / perSecond;
    const fullAtMs = Math.max(nowMs, this.#fullAtMs.get(key) ?? 0) + tokenMs;
    const waitMs = fullAtMs - nowMs - burst * tokenMs;
    // A sum of fractions is a little off.
    if (waitMs > 1e-6) {
      const often = `${perSecond} times a second, ${burst} at once`;
      throw new RateLimitError(
        `Cannot run function ${functionName}: one caller may call it ${often}. Try again later`,
        waitMs,
      );
    }
    this.#fullAtMs.set(key, fullAtMs);
  }
}
