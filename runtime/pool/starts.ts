import PQueue from "p-queue";

/** Whether somebody waits for a start, or it is for stock. */
export type StartPriority = "demand" | "refill";

const priorities: Readonly<Record<StartPriority, number>> = { demand: 1, refill: 0 };

/**
 * The one door through which containers are started. More starts at once than there are cores make each of
 * them slower and none of them earlier.
 */
export class Starts {
  readonly #queue: PQueue;

  constructor(concurrency: number) {
    this.#queue = new PQueue({ concurrency });
  }

  /** Runs a start when it is its turn; demand goes before refills. */
  add(priority: StartPriority, start: () => Promise<void>): void {
    // A start reports its own failure: nobody else is there to hear of it.
    void this.#queue.add(start, { priority: priorities[priority] });
  }

  async idle(): Promise<void> {
    await this.#queue.onIdle();
  }
}
