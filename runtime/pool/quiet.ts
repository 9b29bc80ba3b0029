/**
 * Has work wait until containers are no longer being taken: what ends old ones and readies new ones costs
 * processor time that the ones just taken need first.
 */
export class Quiet implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #hasWork = false;
  #isCalm = true;

  constructor({ pauseMs, work }: { pauseMs: number; work: () => void }) {
    this.#timer = setTimeout(() => {
      this.#isCalm = true;
      if (!this.#hasWork) return;
      this.#hasWork = false;
      work();
    }, pauseMs);
    this.#timer.unref();
  }

  /** Whether nothing has been taken since the last pause began: work under way may go on. */
  get isCalm(): boolean {
    return this.#isCalm;
  }

  /** Something was taken: whatever waits waits on. */
  disturb(): void {
    this.#isCalm = false;
    this.#timer.refresh();
  }

  /** There is work for the next pause. */
  ask(): void {
    this.#hasWork = true;
    this.#timer.refresh();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
