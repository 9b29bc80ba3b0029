import { messageOf } from "../errors.ts";
import { Backoff } from "./backoff.ts";
import { Demand, type StockBounds, targetSize } from "./demand.ts";
import { Members } from "./members.ts";
import type { PoolMember } from "./pool-member.ts";
import type { Starts } from "./starts.ts";

export interface StockOptions<T extends PoolMember> {
  /** Starts one container; it need not be ready when this returns. */
  start: () => Promise<T>;
  /** Makes a started container ready for its taker: waits for its runner, warms it up. */
  prepare: (guest: T) => Promise<void>;
  starts: Starts;
  /** How many members there may be now; asked anew each time, since memory is shared with other stocks. */
  bounds: () => StockBounds;
  /** A member older than this is replaced, milliseconds. */
  maxAgeMs: number;
  /** Puts away a container that will not be used; must not throw. */
  discard: (guest: T) => void;
  /** Told when a container has come to wait here. */
  onReady?: () => void;
}

/** A container that a caller got, and how: from stock, or started for it. */
export interface Taken<T extends PoolMember> {
  readonly guest: T;
  readonly start: "pooled" | "cold";
}

export interface StockState {
  readonly ready: number;
  readonly starting: number;
  readonly waiting: number;
  readonly target: number;
  readonly error: string | undefined;
}

/** Starts that must have failed in a row before a caller is told. */
const failuresToTell = 3;

/**
 * How long a member goes on before it is frozen: one that is stopped while its runtime still compiles what it
 * has just run takes up to 10 ms more when it is used.
 */
const settleMs = 300;

/** How long takes must have paused before a stock that is not nearly empty is refilled: running work goes first. */
const quietMs = 50;

/**
 * Started, unused containers of one class. The oldest goes first; whoever finds none waits in line for the
 * next that is started. All starting goes through one function, all arriving through one.
 */
export class Stock<T extends PoolMember> {
  readonly #options: StockOptions<T>;
  readonly #ready: Members<T>;
  readonly #waiters: PromiseWithResolvers<Taken<T>>[] = [];
  readonly #demand = new Demand();
  readonly #backoff = new Backoff();
  #starting = 0;
  #lastTakeMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: StockOptions<T>) {
    this.#options = options;
    const { maxAgeMs, discard } = options;
    this.#ready = new Members({ maxAgeMs, settleMs, discard, onDeath: () => this.refill() });
  }

  get state(): StockState {
    return {
      ready: this.#ready.size,
      starting: this.#starting,
      waiting: this.#waiters.length,
      target: this.#target(),
      error: this.#backoff.lastError?.message,
    };
  }

  /** Containers that this stock has or is about to have. */
  get held(): number {
    return this.#ready.size + this.#starting;
  }

  /**
   * Takes a container: one that waits here, or the next that is started.
   * @throws the start's own error where it failed for this caller, the signal's reason.
   */
  async take(signal: AbortSignal): Promise<Taken<T>> {
    signal.throwIfAborted();
    const ready = this.takeReady();
    if (ready !== undefined) return { guest: ready, start: "pooled" };
    const waiter = Promise.withResolvers<Taken<T>>();
    const giveUp = (): void => {
      const at = this.#waiters.indexOf(waiter);
      if (at >= 0) this.#waiters.splice(at, 1);
      waiter.reject(signal.reason as Error);
    };
    this.#waiters.push(waiter);
    signal.addEventListener("abort", giveUp, { once: true });
    this.refill();
    try {
      return await waiter.promise;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Takes a container that waits here, if there is one. */
  takeReady(): T | undefined {
    this.#lastTakeMs = performance.now();
    this.#demand.record(this.#lastTakeMs);
    const guest = this.#ready.take();
    if (guest !== undefined) this.#tidyLater();
    return guest;
  }

  /** Starts what is missing, as far as it may be started now, and comes back to the rest later. */
  refill(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const now = performance.now();
    const missing = this.#missing();
    for (let left = missing.forWaiters; left > 0; left--) this.#start("demand");
    if (missing.forStock === 0) return;
    const pauseMs = Math.max(this.#backoff.remainingMs(now), this.#yieldMs(now));
    if (pauseMs > 0) {
      this.#timer = setTimeout(() => this.refill(), pauseMs);
      this.#timer.unref();
      return;
    }
    for (let left = missing.forStock; left > 0; left--) this.#start("refill");
  }

  /** What goes with time: members past their age and, as demand decays, those over the target. */
  trim(): void {
    this.#ready.trim(this.#target());
    this.refill();
  }

  /** Waking the next member and starting new ones costs processor time that the one just taken needs first. */
  #tidyLater(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#ready.wakeNext();
      this.refill();
    }, quietMs);
    this.#timer.unref();
  }

  /** Puts away all members; whoever waits is told `reason`. Starts under way are put away as they arrive. */
  close(reason: Error): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const waiter of this.#waiters.splice(0)) waiter.reject(reason);
    this.#ready.clear();
  }

  #missing(): { forWaiters: number; forStock: number } {
    const unserved = this.#waiters.length - this.#starting;
    const forWaiters = Math.max(0, unserved);
    const coming = this.#ready.size + Math.max(0, -unserved);
    return { forWaiters, forStock: Math.max(0, this.#target() - coming) };
  }

  #target(): number {
    return targetSize(this.#demand.peakPerSecond(performance.now()), this.#options.bounds());
  }

  #yieldMs(now: number): number {
    if (this.#ready.size * 4 < this.#target()) return 0;
    return Math.max(0, this.#lastTakeMs + quietMs - now);
  }

  #start(priority: "demand" | "refill"): void {
    this.#starting++;
    this.#options.starts.add(priority, async () => {
      let guest: T | undefined;
      let isTaken = false;
      try {
        guest = await this.#options.start();
        isTaken = this.#serve(guest, "cold");
        if (isTaken) {
          // Whoever comes next needs a start of their own.
          this.#starting--;
          this.#backoff.succeeded();
          // Its boot keeps a core busy all the same, so the next start waits for it.
          await guest.ready().catch(() => undefined);
          return;
        }
        await this.#options.prepare(guest);
        this.#backoff.succeeded();
        this.#arrive(guest);
      } catch (error) {
        if (guest !== undefined) this.#options.discard(guest);
        this.#failed(error);
      } finally {
        if (!isTaken) this.#starting--;
        this.refill();
      }
    });
  }

  #arrive(guest: T): void {
    if (this.#isClosed || !guest.isAlive) return this.#options.discard(guest);
    if (this.#serve(guest, "pooled")) return;
    this.#ready.add(guest);
    this.#options.onReady?.();
  }

  #serve(guest: T, start: Taken<T>["start"]): boolean {
    const waiter = this.#waiters.shift();
    waiter?.resolve({ guest, start });
    return waiter !== undefined;
  }

  #failed(cause: unknown): void {
    const error = cause instanceof Error ? cause : new Error(messageOf(cause));
    this.#backoff.failed(error, performance.now());
    // One that died on its own is no reason to fail a caller: the next start is for whoever waits.
    if (this.#backoff.failures >= failuresToTell) this.#waiters.shift()?.reject(error);
  }
}
