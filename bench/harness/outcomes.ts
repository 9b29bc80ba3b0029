import type { HttpLoad } from "./http-load.ts";

/** How requests of one kind ended. */
export class Outcomes {
  /** What the admitted took, milliseconds. */
  readonly tookMs: number[] = [];
  /** Those that were turned away for want of room. */
  refused = 0;
  /** Those of them that were not told when to come again. */
  refusedWithoutAdvice = 0;
  /** All others. */
  errors = 0;

  /** Posts, and counts how that ends; never rejects but by the load's own signal. */
  async post(load: HttpLoad, path: string, body: string, signal: AbortSignal): Promise<void> {
    const start = performance.now();
    try {
      const { status, headers } = await load.post(path, body);
      if (status === 200) this.tookMs.push(performance.now() - start);
      else if (status !== 429) this.errors++;
      else {
        this.refused++;
        if (!(Number(headers["retry-after"]) > 0)) this.refusedWithoutAdvice++;
      }
    } catch {
      signal.throwIfAborted();
      this.errors++;
    }
  }
}
