/** Lets one wait until another has something for it. */
export class Wakeup {
  #wake: (() => void) | undefined;

  /** Resolves at the next {@link wake}; only one waits at a time. */
  async next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
  }

  /** Wakes whoever waits, if anybody does. */
  wake(): void {
    this.#wake?.();
  }
}
