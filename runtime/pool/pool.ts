import { LRUCache } from "lru-cache";
import type { Exit } from "../container/exit.ts";
import { startDeadline } from "../deadline.ts";
import { RunletError } from "../errors.ts";
import { Guest, stockLimits } from "../guest/guest.ts";
import type { GuestRuntime } from "../guest/program.ts";
import type { Image } from "../image/image.ts";
import type { Machine } from "../machine.ts";
import type { StockBounds } from "./demand.ts";
import { Primed } from "./primed.ts";
import { Quiet } from "./quiet.ts";
import { Retired } from "./retired.ts";
import type { Starts } from "./starts.ts";
import { Stock, type StockState, type Taken } from "./stock.ts";
import { WarmSet } from "./warm-set.ts";

/** What containers must have in common to be in one stock. */
export interface PoolClass {
  image: Image;
  runtime: GuestRuntime;
  tmpBytes: number;
  pids: number;
}

/** A stock of containers that have one function loaded already. */
export interface Provision {
  /** The function version. */
  key: string;
  count: number;
  /** Loads the function. @throws where it cannot be loaded. */
  load: (guest: Guest) => Promise<void>;
}

export interface PoolOptions {
  machine: Machine;
  /** The door through which its containers are started. */
  starts: Starts;
  /** Members that each class keeps however little is asked for. */
  floor: number;
  /** Members of all classes and idle warm containers together: the memory budget. */
  maxMembers: number;
  /** A member older than this is replaced, milliseconds. */
  maxAgeMs: number;
  /** Used containers that may wait for their end. */
  maxRetired: number;
}

export interface TakeOptions {
  class: PoolClass;
  /** The function version, to find a container that is warm for it. */
  key: string;
  /** Loads the function into a container ahead of its next call. @throws where it cannot be loaded. */
  load?: ((guest: Guest) => Promise<void>) | undefined;
  signal: AbortSignal;
}

/** A container and how it was come by; of a warm one the function is loaded. */
export interface PoolTaken {
  readonly guest: Guest;
  readonly start: "warm" | Taken<Guest>["start"];
  readonly isLoaded: boolean;
}

/** How long a runner may take to come up. */
const readyTimeoutMs = 30_000;
const trimEveryMs = 5000;

/** How long takes must have paused before used containers are ended and new ones are primed. */
const quietMs = 30;

/** Of all members, how many may have a function loaded that they were not asked to have. */
const primedShare = 0.5;

/** All started, unused containers by class, and those that are kept warm for a function version. */
export class Pool implements AsyncDisposable {
  readonly #options: PoolOptions;
  readonly #starts: Starts;
  readonly #stocks = new Map<string, Stock<Guest>>();
  readonly #provisioned = new Map<string, Stock<Guest>>();
  readonly #provisionedCounts = new Map<string, number>();
  readonly #primed = new Map<string, Primed>();
  readonly #warm: WarmSet;
  /** When what is loaded for a version was last forgotten; what was taken before is not kept. */
  readonly #forgottenAt = new LRUCache<string, number>({ max: 10_000 });
  readonly #takenAt = new WeakMap<Guest, number>();
  readonly #retired: Retired;
  readonly #quiet: Quiet;
  readonly #ending = new Set<Promise<unknown>>();
  readonly #ticker: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#starts = options.starts;
    this.#warm = new WarmSet({
      maxIdle: () => options.maxMembers,
      discard: (guest) => this.discard(guest),
    });
    this.#retired = new Retired({ maxWaiting: options.maxRetired });
    this.#quiet = new Quiet({ pauseMs: quietMs, work: () => void this.#tidy() });
    this.#ticker = setInterval(() => this.#trim(), trimEveryMs);
    this.#ticker.unref();
  }

  /** The stocks by class, and those of functions by version, for metrics and readiness. */
  get states(): ReadonlyMap<string, StockState> {
    const states = new Map<string, StockState>();
    for (const [key, stock] of this.#stocks) states.set(key, stock.state);
    for (const [key, stock] of this.#provisioned) states.set(`${key} provisioned`, stock.state);
    for (const [key, primed] of this.#primed) states.set(`${key} primed`, primed.state);
    return states;
  }

  /** Used containers that wait for their end. */
  get retired(): number {
    return this.#retired.size;
  }

  get idleWarm(): number {
    return this.#warm.size;
  }

  /**
   * Takes a container: a warm one of the same version, one that has the function loaded, one from stock, or
   * the next that is started.
   * @throws the start's own error, the signal's reason, `unavailable` while the pool closes.
   */
  async take(options: TakeOptions): Promise<PoolTaken> {
    if (this.#isClosed) throw closing();
    const { key, signal } = options;
    this.#quiet.disturb();
    const warm = this.#warm.take(key);
    if (warm !== undefined) return this.#taken({ guest: warm, start: "warm", isLoaded: true });
    const loaded = this.#provisioned.get(key)?.takeReady() ?? this.#takePrimed(options);
    if (loaded !== undefined)
      return this.#taken({ guest: loaded, start: "pooled", isLoaded: true });
    const stocked = await this.#stockOf(options.class).take(signal);
    return this.#taken({ ...stocked, isLoaded: false });
  }

  /** Keeps a used container for the next event of the same function version. */
  keepWarm(key: string, guest: Guest, keepAliveMs: number): void {
    const isForgotten = (this.#forgottenAt.get(key) ?? -1) >= (this.#takenAt.get(guest) ?? 0);
    if (this.#isClosed || !guest.isAlive || isForgotten) this.discard(guest);
    else this.#warm.give(key, guest, keepAliveMs);
  }

  /** Lets a used container exit by itself when nobody is in a hurry; answers how it did. */
  async retire(guest: Guest): Promise<Exit> {
    this.#quiet.ask();
    return await this.#retired.add(guest);
  }

  /** Puts away a container in the background. */
  discard(guest: Guest): void {
    const ending = guest[Symbol.asyncDispose]()
      .catch(() => undefined)
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  /** Fills the stock of a class before anybody asks. */
  fill(poolClass: PoolClass): void {
    if (!this.#isClosed) this.#stockOf(poolClass).refill();
  }

  /** Keeps `count` containers with the function loaded, also of those that there are already; 0 ends it. */
  provision(poolClass: PoolClass, { key, count, load }: Provision): void {
    if (count === 0 || this.#isClosed) return this.#dropProvisioned(key);
    this.#provisionedCounts.set(key, count);
    let stock = this.#provisioned.get(key);
    if (stock === undefined) {
      const bounds = (): StockBounds => {
        const wanted = this.#provisionedCounts.get(key) ?? 0;
        return { floor: wanted, ceiling: wanted };
      };
      stock = this.#newStock(poolClass, bounds, load);
      this.#provisioned.set(key, stock);
    }
    stock.trim();
  }

  /** Forgets what is kept for a function version. */
  forget(key: string): void {
    this.#forgottenAt.set(key, performance.now());
    this.#warm.dropKey(key);
    this.#dropPrimed(key);
    this.#dropProvisioned(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#ticker);
    for (const stock of this.#allStocks()) stock.close(closing());
    for (const key of this.#primed.keys()) this.#dropPrimed(key);
    this.#warm.clear();
    this.#quiet[Symbol.dispose]();
    await this.#retired.endWhile(() => true);
    await this.#starts.idle();
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  #taken(taken: PoolTaken): PoolTaken {
    this.#takenAt.set(taken.guest, performance.now());
    return taken;
  }

  #stockOf(poolClass: PoolClass): Stock<Guest> {
    const { image, runtime, tmpBytes, pids } = poolClass;
    const key = `${image.name}@${image.digest.slice(0, 12)}/${runtime}/${tmpBytes}/${pids}`;
    let stock = this.#stocks.get(key);
    if (stock === undefined) {
      stock = this.#newStock(poolClass, () => this.#boundsOf(stock));
      this.#stocks.set(key, stock);
    }
    return stock;
  }

  #newStock(
    poolClass: PoolClass,
    bounds: () => StockBounds,
    load?: (guest: Guest) => Promise<void>,
  ): Stock<Guest> {
    const { machine, maxAgeMs } = this.#options;
    return new Stock({
      starts: this.#starts,
      bounds,
      maxAgeMs,
      start: async () => await Guest.start(machine, poolClass),
      prepare: async (guest) => {
        using deadline = startDeadline("start a container", readyTimeoutMs);
        await guest.ready(deadline.signal);
        await guest.warmUp();
        if (load === undefined) guest.limit(stockLimits);
        else await load(guest);
      },
      discard: (guest) => this.discard(guest),
      // Functions that found too few to have some primed get theirs now.
      onReady: () => this.#quiet.ask(),
    });
  }

  /** What other stocks and warm containers hold is no longer to be had. */
  #boundsOf(stock: Stock<Guest> | undefined): StockBounds {
    const { floor, maxMembers } = this.#options;
    let left = maxMembers - this.#warm.size;
    for (const other of this.#allStocks()) if (other !== stock) left -= other.held;
    for (const primed of this.#primed.values()) left -= primed.held;
    const ceiling = Math.max(0, left);
    return { floor: Math.min(floor, ceiling), ceiling };
  }

  /** What a pause is for: ends first, since they make room. */
  async #tidy(): Promise<void> {
    let isInterrupted = false;
    const mayGoOn = (): boolean => {
      isInterrupted ||= !this.#quiet.isCalm;
      return !isInterrupted;
    };
    await this.#retired.endWhile(mayGoOn);
    for (const primed of this.#primed.values()) await primed.replenish(mayGoOn);
    if (isInterrupted && !this.#isClosed) this.#quiet.ask();
  }

  #takePrimed({ key, class: poolClass, load }: TakeOptions): Guest | undefined {
    if (load === undefined) return undefined;
    this.#quiet.ask();
    let primed = this.#primed.get(key);
    if (primed === undefined) {
      primed = this.#newPrimed(poolClass, load);
      this.#primed.set(key, primed);
    }
    return primed.take();
  }

  #newPrimed(poolClass: PoolClass, load: (guest: Guest) => Promise<void>): Primed {
    const primed: Primed = new Primed({
      most: () => this.#mostPrimed(primed),
      takeStocked: () => this.#stockOf(poolClass).takeReady(),
      load,
      maxAgeMs: this.#options.maxAgeMs,
      discard: (guest) => this.discard(guest),
      onMissing: () => this.#quiet.ask(),
    });
    return primed;
  }

  /** What other functions hold is no longer to be had. */
  #mostPrimed(primed: Primed): number {
    let left = Math.floor(this.#options.maxMembers * primedShare);
    for (const other of this.#primed.values()) if (other !== primed) left -= other.held;
    return Math.max(0, left);
  }

  #dropProvisioned(key: string): void {
    this.#provisionedCounts.delete(key);
    this.#provisioned.get(key)?.close(closing());
    this.#provisioned.delete(key);
  }

  #dropPrimed(key: string): void {
    this.#primed.get(key)?.close();
    this.#primed.delete(key);
  }

  #trim(): void {
    for (const [key, primed] of this.#primed) {
      if (primed.isIdle) this.#dropPrimed(key);
      else primed.trim();
    }
    for (const stock of this.#allStocks()) stock.trim();
  }

  #allStocks(): Stock<Guest>[] {
    return [...this.#stocks.values(), ...this.#provisioned.values()];
  }
}

function closing(): RunletError {
  return new RunletError("unavailable", "Cannot start a container: the server shuts down");
}
