import PQueue from "p-queue";

/** Whether somebody waits for a start, or it is for stock. */
export type StartPriority = "demand" | "refill";

/**
 * The one door through which containers are started. More starts at once than these make each of them slower
 * and none of them earlier. Starts for stock leave half of the machine to who runs, and begin while nobody
 * waits for a start.
 */
export class Starts {
  readonly #demand: PQueue;
  readonly #refill: PQueue;
  /** Starts that somebody waits for. */
  #asked = 0;

  constructor(concurrency: number) {
    this.#demand = new PQueue({ concurrency });
    this.#refill = new PQueue({ concurrency: Math.ceil(concurrency / 2) });
  }

  /** Runs a start when it is its turn. */
  add(priority: StartPriority, start: () => Promise<void>): void {
    // A start reports its own failure: nobody else is there to hear of it.
    if (priority === "refill") return void this.#refill.add(start);
    this.#refill.pause();
    this.#asked++;
    void this.#demand.add(start).finally(() => {
      if (--this.#asked === 0) this.#refill.start();
    });
  }

  async idle(): Promise<void> {
    await this.#demand.onIdle();
    await this.#refill.onIdle();
  }
}
