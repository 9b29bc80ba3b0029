import { RunletError } from "../errors.ts";
import { Guest, stockLimits } from "../guest/guest.ts";
import type { GuestRuntime } from "../guest/program.ts";
import type { Image } from "../image/image.ts";
import type { Machine } from "../machine.ts";
import { Starts } from "./starts.ts";
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
  /** How many containers may be starting at once. */
  maxStarts: number;
  /** Members that each class keeps however little is asked for. */
  floor: number;
  /** Members of all classes and idle warm containers together: the memory budget. */
  maxMembers: number;
  /** A member older than this is replaced, milliseconds. */
  maxAgeMs: number;
}

export interface TakeOptions {
  class: PoolClass;
  /** The function version, to find a container that is warm for it. */
  key: string;
  signal: AbortSignal;
}

/** A container and how it was come by; of a warm one the function is loaded. */
export interface PoolTaken {
  readonly guest: Guest;
  readonly start: "warm" | Taken["start"];
  readonly isLoaded: boolean;
}

/** How long a runner may take to come up. */
const readyTimeoutMs = 30_000;
const trimEveryMs = 5000;

/** All started, unused containers by class, and those that are kept warm for a function version. */
export class Pool implements AsyncDisposable {
  readonly #options: PoolOptions;
  readonly #starts: Starts;
  readonly #stocks = new Map<string, Stock>();
  readonly #provisioned = new Map<string, Stock>();
  readonly #warm: WarmSet;
  readonly #ending = new Set<Promise<unknown>>();
  readonly #ticker: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#starts = new Starts(options.maxStarts);
    this.#warm = new WarmSet({
      maxIdle: () => options.maxMembers,
      discard: (guest) => this.discard(guest),
    });
    this.#ticker = setInterval(() => this.#trim(), trimEveryMs);
    this.#ticker.unref();
  }

  /** The stocks by class, for metrics and readiness. */
  get states(): ReadonlyMap<string, StockState> {
    return new Map(
      [...this.#stocks, ...this.#provisioned].map(([key, stock]) => [key, stock.state]),
    );
  }

  get idleWarm(): number {
    return this.#warm.size;
  }

  /**
   * Takes a container: a warm one of the same version, one that has the function loaded, one from stock, or
   * the next that is started.
   * @throws the start's own error, the signal's reason, `unavailable` while the pool closes.
   */
  async take({ class: poolClass, key, signal }: TakeOptions): Promise<PoolTaken> {
    if (this.#isClosed) throw closing();
    const warm = this.#warm.take(key);
    if (warm !== undefined) return { guest: warm, start: "warm", isLoaded: true };
    const provisioned = this.#provisioned.get(key);
    if (provisioned !== undefined && provisioned.state.ready > 0) {
      return { ...(await provisioned.take(signal)), isLoaded: true };
    }
    return { ...(await this.#stockOf(poolClass).take(signal)), isLoaded: false };
  }

  /** Keeps a used container for the next event of the same function version. */
  keepWarm(key: string, guest: Guest, keepAliveMs: number): void {
    if (this.#isClosed || !guest.isAlive) this.discard(guest);
    else this.#warm.give(key, guest, keepAliveMs);
  }

  /** Puts away a container in the background. */
  discard(guest: Guest): void {
    this.track(guest[Symbol.asyncDispose]());
  }

  /** Has the pool's end wait for work that puts a container away. */
  track(ending: Promise<unknown>): void {
    const tracked = ending.catch(() => undefined).finally(() => this.#ending.delete(tracked));
    this.#ending.add(tracked);
  }

  /** Fills the stock of a class before anybody asks. */
  fill(poolClass: PoolClass): void {
    if (!this.#isClosed) this.#stockOf(poolClass).refill();
  }

  /** Keeps `count` containers with the function loaded; 0 ends it. */
  provision(poolClass: PoolClass, { key, count, load }: Provision): void {
    this.#provisioned.get(key)?.close(closing());
    this.#provisioned.delete(key);
    if (count === 0 || this.#isClosed) return;
    const bounds = { floor: count, ceiling: count };
    const stock = this.#newStock(poolClass, () => bounds, load);
    this.#provisioned.set(key, stock);
    stock.refill();
  }

  /** Forgets what is kept for a function version. */
  forget(key: string): void {
    this.#warm.dropKey(key);
    this.#provisioned.get(key)?.close(closing());
    this.#provisioned.delete(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#ticker);
    for (const stock of this.#allStocks()) stock.close(closing());
    this.#warm.clear();
    await this.#starts.idle();
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  #stockOf(poolClass: PoolClass): Stock {
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
    bounds: () => { floor: number; ceiling: number },
    load?: (guest: Guest) => Promise<void>,
  ): Stock {
    const { machine, maxAgeMs } = this.#options;
    return new Stock({
      starts: this.#starts,
      bounds,
      maxAgeMs,
      start: async () => await Guest.start(machine, poolClass),
      prepare: async (guest) => {
        await guest.ready(AbortSignal.timeout(readyTimeoutMs));
        await guest.warmUp();
        if (load === undefined) guest.limit(stockLimits);
        else await load(guest);
      },
      discard: (guest) => this.discard(guest),
    });
  }

  /** What other stocks and warm containers hold is no longer to be had. */
  #boundsOf(stock: Stock | undefined): { floor: number; ceiling: number } {
    const { floor, maxMembers } = this.#options;
    let left = maxMembers - this.#warm.size;
    for (const other of this.#allStocks()) if (other !== stock) left -= other.held;
    const ceiling = Math.max(0, left);
    return { floor: Math.min(floor, ceiling), ceiling };
  }

  #trim(): void {
    for (const stock of this.#allStocks()) stock.trim();
  }

  #allStocks(): Stock[] {
    return [...this.#stocks.values(), ...this.#provisioned.values()];
  }
}

function closing(): RunletError {
  return new RunletError("unavailable", "Cannot start a container: the server shuts down");
}
