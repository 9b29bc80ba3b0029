/** Tells for how long nothing has gone on in a sandbox. */
export class Activity {
  #running = 0;
  #lastAtMs = performance.now();

  /** A moment of activity, such as a byte that moved. */
  touch(): void {
    this.#lastAtMs = performance.now();
  }

  /** Something that goes on until it is disposed. */
  begin(): Disposable {
    this.#running++;
    let isOver = false;
    return {
      [Symbol.dispose]: () => {
        if (isOver) return;
        isOver = true;
        this.#running--;
        this.touch();
      },
    };
  }

  /** Milliseconds since something went on, 0 while something does. */
  get idleMs(): number {
    return this.#running > 0 ? 0 : performance.now() - this.#lastAtMs;
  }
}
