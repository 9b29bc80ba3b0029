import type { Guest } from "../guest/guest.ts";
import { Demand } from "./demand.ts";
import { Members } from "./members.ts";
import type { StockState } from "./stock.ts";

export interface PrimedOptions {
  /** How many there may be now; asked anew each time, since members are shared with other functions. */
  most: () => number;
  /** Takes a container from stock, if one waits there. */
  takeStocked: () => Guest | undefined;
  /** Loads the function. @throws where it cannot be loaded. */
  load: (guest: Guest) => Promise<void>;
  /** A member older than this is replaced, milliseconds. */
  maxAgeMs: number;
  /** Puts away a container that will not be used; must not throw. */
  discard: (guest: Guest) => void;
  /** Told when there may be something to replenish. */
  onMissing: () => void;
}

/** Calls within the window of demand from which on a function is worth a container of its own. */
const busyFrom = 2;

/** How long each goes on before it is frozen: what was asked for is often asked for again. */
const settleMs = 2000;

/**
 * Containers from stock that have the code of one busy function loaded already, so that its next caller waits
 * for the handler only. Each is for one invocation all the same.
 */
export class Primed {
  readonly #options: PrimedOptions;
  readonly #ready: Members<Guest>;
  readonly #demand = new Demand();
  #isPriming = false;
  #isClosed = false;

  constructor(options: PrimedOptions) {
    this.#options = options;
    const { maxAgeMs, discard, onMissing } = options;
    this.#ready = new Members({ maxAgeMs, settleMs, discard, onDeath: onMissing });
  }

  /** Containers that wait here or are about to. */
  get held(): number {
    return this.#ready.size + (this.#isPriming ? 1 : 0);
  }

  get state(): StockState {
    const starting = this.#isPriming ? 1 : 0;
    return {
      ready: this.#ready.size,
      starting,
      waiting: 0,
      target: this.#target(),
      error: undefined,
    };
  }

  /** Whether nobody has asked of late. */
  get isIdle(): boolean {
    return this.#demand.count(performance.now()) === 0;
  }

  /** What goes with time: members past their age and, as demand decays, those over the target. */
  trim(): void {
    const target = this.#target();
    this.#ready.trim(target);
    if (this.#ready.size < target) this.#options.onMissing();
  }

  /** The next one, if there is one; asking is what keeps them coming. */
  take(): Guest | undefined {
    this.#demand.record(performance.now());
    return this.#ready.take();
  }

  /** Readies what the demand asks for, one after the other, for as long as it may go on. */
  async replenish(mayGoOn: () => boolean): Promise<void> {
    if (this.#isPriming) return;
    this.#isPriming = true;
    this.#ready.wakeNext();
    try {
      while (mayGoOn() && !this.#isClosed && this.#ready.size < this.#target()) {
        const guest = this.#options.takeStocked();
        if (guest === undefined || !(await this.#prime(guest))) return;
      }
    } finally {
      this.#isPriming = false;
    }
  }

  /** Puts all of them away, for good. */
  close(): void {
    this.#isClosed = true;
    this.#ready.clear();
  }

  #target(): number {
    const now = performance.now();
    if (this.#demand.count(now) < busyFrom) return 0;
    return Math.min(this.#demand.peakPerSecond(now), this.#options.most());
  }

  async #prime(guest: Guest): Promise<boolean> {
    try {
      await this.#options.load(guest);
    } catch {
      // Whoever calls the function next is told why it does not load.
      this.#options.discard(guest);
      return false;
    }
    if (this.#isClosed) {
      this.#options.discard(guest);
      return false;
    }
    this.#ready.add(guest);
    return true;
  }
}
