import { RunletError } from "../errors.ts";
import { Lane, type Waiter } from "./lane.ts";

export interface SchedulerOptions {
  /** How many containers run at once. */
  concurrency: number;
  /** How many callers may wait; one more is refused at once. */
  queueLimit: number;
  /** How long a caller may wait before it is refused. */
  queueTimeoutMs: number;
  /** What one key may take of the places to wait in, so that a flood leaves some to others; all of them by default. */
  shareOfPlaces?: number;
  /** Of the slots that are reserved for no key, how many the background never has; none by default. */
  keptForCallers?: number;
}

/** The right to run one container. Dispose it once the container is gone; a second time is harmless. */
export type Permit = Disposable;

/** On whose account a caller waits. */
export interface Account {
  /** Callers of one key are served in the order in which they came; keys take turns. */
  readonly key: string;
  /** How many may wait under the key; its share of all places if there is none, and never more. */
  readonly queueLimit?: number | undefined;
  /**
   * Whether nobody waits for what is going to run: it lets those go first that somebody waits for, and takes
   * none of their places. How many may wait so is bounded by who sends them.
   */
  readonly isBackground?: boolean;
}

interface Waiting extends Waiter {
  lane: Lane<Waiting>;
  readonly take: (permit: Permit) => void;
  readonly giveUp: (reason: Error) => void;
}

const nobody: Account = { key: "" };

/**
 * Bounds how many containers run at once, and is fair: a flood of calls under one key delays those under
 * another by one turn. Slots may be reserved for a key, which then has these and no others. A caller that waits
 * can give up by its signal and never gets a permit then.
 */
export class Scheduler {
  #options: SchedulerOptions;
  readonly #common: Lane<Waiting>;
  readonly #reserved = new Map<string, Lane<Waiting>>();
  readonly #onIdle: (() => void)[] = [];
  #running = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#common = new Lane(options.concurrency);
    this.#divide();
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    let waiting = this.#common.size;
    for (const lane of this.#reserved.values()) waiting += lane.size;
    return waiting;
  }

  /** How many wait in the background, where none is reserved. */
  get waitingInBackground(): number {
    return this.#common.size - this.#common.callers;
  }

  /** How many slots are reserved for no key. */
  get unreserved(): number {
    return this.#common.limit;
  }

  /** Whether a permit could be had without a wait, where none is reserved. */
  get hasRoom(): boolean {
    return this.#hasSlot(this.#common, false);
  }

  /** Changes how many may run and wait; what runs and who waits already are counted as they are. */
  resize(bounds: Pick<SchedulerOptions, "concurrency" | "queueLimit">): void {
    this.#options = { ...this.#options, ...bounds };
    this.#divide();
    this.#serve();
  }

  /**
   * Keeps slots for a key, which no other gets and beyond which it gets none; 0 refuses it, undefined ends the
   * reservation. What runs already ends where it began.
   */
  reserve(key: string, slots: number | undefined): void {
    const before = this.#reserved.get(key);
    if (slots === undefined) this.#reserved.delete(key);
    else if (before === undefined) this.#reserved.set(key, new Lane(slots));
    else before.limit = before.backgroundLimit = slots;
    this.#divide();
    const lane = this.#laneOf(key);
    for (const waiter of (before ?? this.#common).takeAll(key)) {
      if (lane.limit === 0) {
        waiter.giveUp(stopped());
        continue;
      }
      waiter.lane = lane;
      lane.add(waiter);
    }
    this.#serve();
  }

  /**
   * Waits for room for one container.
   * @throws `resource_exhausted` if there is no place to wait or the wait took too long; the signal's reason.
   */
  async acquire(signal?: AbortSignal, account = nobody): Promise<Permit> {
    signal?.throwIfAborted();
    const { queueTimeoutMs } = this.#options;
    const { key, isBackground = false } = account;
    const lane = this.#laneOf(key);
    if (this.#hasSlot(lane, isBackground)) return this.#grant(lane, isBackground);
    const refusal = this.#refusalIn(lane, account);
    if (refusal !== undefined) throw refusal;
    const permit = Promise.withResolvers<Permit>();
    // No composed signal: it costs more than all the rest of a short wait.
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    };
    const waiter: Waiting = {
      key,
      isBackground,
      lane,
      take: (granted) => {
        settle();
        permit.resolve(granted);
      },
      giveUp: (reason) => {
        settle();
        waiter.lane.remove(waiter);
        permit.reject(reason);
        this.#tellIdle();
      },
    };
    const cancel = (): void => waiter.giveUp(signal?.reason as Error);
    const timer = setTimeout(() => {
      waiter.giveUp(refused(`no container slot became free within ${queueTimeoutMs} ms`));
    }, queueTimeoutMs);
    signal?.addEventListener("abort", cancel, { once: true });
    lane.add(waiter);
    return await permit.promise;
  }

  /** Why {@link acquire} would be refused at once, if it would. */
  refusalOf(account = nobody): RunletError | undefined {
    const lane = this.#laneOf(account.key);
    const { isBackground = false } = account;
    return this.#hasSlot(lane, isBackground) ? undefined : this.#refusalIn(lane, account);
  }

  /** Resolves once nothing runs and nothing waits. */
  async idle(): Promise<void> {
    if (this.#isIdle) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onIdle.push(resolve);
    await promise;
  }

  get #isIdle(): boolean {
    return this.#running === 0 && this.waiting === 0;
  }

  #hasSlot(lane: Lane<Waiting>, isBackground: boolean): boolean {
    return this.#running < this.#options.concurrency && lane.hasRoom(isBackground);
  }

  #laneOf(key: string): Lane<Waiting> {
    return this.#reserved.get(key) ?? this.#common;
  }

  /** What is reserved is not to be had by others; one slot is left to them whatever is. */
  #divide(): void {
    const { concurrency, keptForCallers = 0 } = this.#options;
    let left = concurrency;
    for (const { limit } of this.#reserved.values()) left -= limit;
    this.#common.limit = Math.max(1, left);
    this.#common.backgroundLimit = Math.max(1, left - keptForCallers);
  }

  /** Why there is no place to wait in, if there is none. */
  #refusalIn(lane: Lane<Waiting>, account: Account): RunletError | undefined {
    if (lane.limit === 0) return stopped();
    if (account.isBackground) return undefined;
    const { queueLimit, shareOfPlaces = 1 } = this.#options;
    const share = Math.min(account.queueLimit ?? Infinity, Math.ceil(queueLimit * shareOfPlaces));
    if (lane.callersOf(account.key) >= share) {
      return refused(`${share} invocations are waiting already`);
    }
    let waiting = this.#common.callers;
    for (const { callers } of this.#reserved.values()) waiting += callers;
    if (waiting < queueLimit) return undefined;
    return refused(`${queueLimit} invocations of all functions are waiting already`);
  }

  #grant(lane: Lane<Waiting>, isBackground: boolean): Permit {
    this.#running++;
    lane.enter(isBackground);
    let isOut = true;
    return {
      [Symbol.dispose]: () => {
        if (!isOut) return;
        isOut = false;
        this.#running--;
        lane.leave(isBackground);
        this.#serve();
        this.#tellIdle();
      },
    };
  }

  /** Gives the slots that are free to whose turn it is. */
  #serve(): void {
    for (const lane of this.#reserved.values()) this.#serveLane(lane);
    this.#serveLane(this.#common);
  }

  #serveLane(lane: Lane<Waiting>): void {
    while (this.#running < this.#options.concurrency) {
      const waiter = lane.next();
      if (waiter === undefined) return;
      waiter.take(this.#grant(lane, waiter.isBackground));
    }
  }

  #tellIdle(): void {
    if (this.#onIdle.length > 0 && this.#isIdle) for (const tell of this.#onIdle.splice(0)) tell();
  }
}

function stopped(): RunletError {
  return refused("no container slot is kept for it");
}

function refused(why: string): RunletError {
  return new RunletError("resource_exhausted", `Cannot run now: ${why}. Try again later`);
}
