import { LRUCache } from "lru-cache";
import type { RateLimit } from "../schema/rate-limit.ts";
import { RateLimitError } from "./errors.ts";

/** How many callers are kept in mind: whoever was silent while so many others called begins with a full bucket. */
const maxCallers = 50_000;

interface RateLimitsOptions {
  max?: number;
  nowMs?: () => number;
  refusal?: (name: string, often: string) => string;
}

/**
 * How often each function may be called, by caller: a bucket of tokens for each, of which a call takes one and
 * which fills as time goes. What is kept of a bucket is when it will be full again.
 */
export class RateLimits {
  readonly #fullAtMs: LRUCache<string, number>;
  readonly #nowMs: () => number;
  readonly #refusal: (name: string, often: string) => string;

  /** `refusal` says of what is called, and of how often it may be, why a call is refused. */
  constructor({
    max = maxCallers,
    nowMs = () => performance.now(),
    refusal = ofFunction,
  }: RateLimitsOptions = {}) {
    this.#fullAtMs = new LRUCache({ max });
    this.#nowMs = nowMs;
    this.#refusal = refusal;
  }

  /** Takes a token of a caller's bucket. @throws RateLimitError if there is none. */
  take(name: string, caller: string, limit: RateLimit): void {
    const { perSecond, burst = Math.max(1, Math.ceil(perSecond)) } = limit;
    const key = `${name} ${caller}`;
    const nowMs = this.#nowMs();
    const tokenMs = 1000 / perSecond;
    const fullAtMs = Math.max(nowMs, this.#fullAtMs.get(key) ?? 0) + tokenMs;
    const waitMs = fullAtMs - nowMs - burst * tokenMs;
    // A sum of fractions is a little off.
    if (waitMs > 1e-6) {
      const often = `${perSecond} times a second, ${burst} at once`;
      throw new RateLimitError(this.#refusal(name, often), waitMs);
    }
    this.#fullAtMs.set(key, fullAtMs);
  }
}

function ofFunction(name: string, often: string): string {
  return `Cannot run function ${name}: one caller may call it ${often}. Try again later`;
}
