import type { Database } from "./database.ts";
import { faultOf } from "./fault.ts";

interface Job {
  readonly run: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Until when it waits for another process that holds the record. */
  readonly patientUntilMs: number;
}

/** How long a write waits for another process in all, and between two tries. */
const patienceMs = 5_000;
const pauseMs = 100;
const probeMs = 1_000;

/**
 * Gathers the writes of one turn of the event loop into one transaction, in the order they came. Answer a
 * caller only after the promise of its write: then the record outlives the death of this process.
 * Dispose it before the database; that commits what is still open.
 */
export class RecordWriter implements Disposable {
  /** Told how long each commit took, in milliseconds. */
  onCommit: ((ms: number) => void) | undefined;
  readonly #database: Database;
  readonly #commit: (jobs: readonly Job[]) => (() => void)[];
  readonly #savepoint: (run: () => unknown) => unknown;
  #jobs: Job[] = [];
  #hasBegun = false;
  #turn: NodeJS.Immediate | undefined;
  #pause: NodeJS.Timeout | undefined;
  #probe: NodeJS.Timeout | undefined;
  #failure: unknown;
  #isClosed = false;

  constructor(database: Database) {
    this.#database = database;
    const { connection } = database;
    this.#savepoint = connection.transaction((run: () => unknown) => run());
    const commit = connection.transaction((jobs: readonly Job[]) => {
      this.#hasBegun = true;
      return jobs.map((job) => this.#try(job));
    });
    this.#commit = (jobs) => commit.immediate(jobs);
  }

  /** Why nothing can be written now, such as for a full disk; undefined as soon as it can be again. */
  get failure(): unknown {
    return this.#failure;
  }

  /**
   * Runs `run`, once and synchronously, in the transaction of this turn and answers its value after the
   * commit. What `run` throws is undone and rejects this promise alone; a failed commit rejects all of its turn.
   * Where another process holds the record, this waits for some seconds and holds up nothing else.
   */
  async write<T>(run: () => T): Promise<T> {
    if (this.#isClosed) throw new Error("Cannot write to the record: it is closed");
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#jobs.push({ run, resolve, reject, patientUntilMs: performance.now() + patienceMs });
    if (this.#pause === undefined) this.#turn ??= setImmediate(() => this.#flush());
    return (await promise) as T;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#flush();
    clearTimeout(this.#probe);
  }

  #flush(): void {
    clearImmediate(this.#turn);
    clearTimeout(this.#pause);
    this.#turn = undefined;
    this.#pause = undefined;
    const jobs = this.#jobs;
    if (jobs.length === 0) return;
    this.#jobs = [];
    this.#hasBegun = false;
    try {
      const beganAtMs = performance.now();
      const settled = this.#commit(jobs);
      this.onCommit?.(performance.now() - beganAtMs);
      this.#failure = undefined;
      for (const settle of settled) settle();
    } catch (error) {
      const impatient = jobs.filter((job) => !this.#postpone(job, error));
      if (impatient.length > 0 && faultOf(error) !== undefined) this.#failed(error);
      for (const job of impatient) job.reject(error);
    }
  }

  /** Puts a write off that another process stands in the way of; false where it has waited for long enough. */
  #postpone(job: Job, error: unknown): boolean {
    const isHeld = !this.#hasBegun && faultOf(error) === "busy";
    if (!isHeld || this.#isClosed || performance.now() >= job.patientUntilMs) return false;
    this.#jobs.push(job);
    this.#pause ??= setTimeout(() => this.#flush(), pauseMs);
    return true;
  }

  /** Looks again and again whether the record can be written, also while nobody has anything to write. */
  #failed(error: unknown): void {
    this.#failure = error;
    if (this.#isClosed) return;
    this.#probe ??= setTimeout(() => {
      this.#probe = undefined;
      if (this.#failure === undefined || this.#isClosed) return;
      try {
        this.#database.touch();
        this.#failure = undefined;
      } catch (still) {
        this.#failed(still);
      }
    }, probeMs).unref();
  }

  #try(job: Job): () => void {
    try {
      const value = this.#savepoint(job.run);
      return () => job.resolve(value);
    } catch (error) {
      // SQLite ends the whole transaction at some errors (disk full, I/O): then nothing of it was kept.
      if (!this.#database.connection.inTransaction) throw error;
      return () => job.reject(error);
    }
  }
}
