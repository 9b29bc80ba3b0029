import type { Database } from "./database.ts";

interface Job {
  readonly run: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

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
  #timer: NodeJS.Immediate | undefined;
  #isClosed = false;

  constructor(database: Database) {
    this.#database = database;
    const { connection } = database;
    this.#savepoint = connection.transaction((run: () => unknown) => run());
    const commit = connection.transaction((jobs: readonly Job[]) =>
      jobs.map((job) => this.#try(job)),
    );
    this.#commit = (jobs) => commit.immediate(jobs);
  }

  /**
   * Runs `run`, once and synchronously, in the transaction of this turn and answers its value after the
   * commit. What `run` throws is undone and rejects this promise alone; a failed commit rejects all of its turn.
   */
  async write<T>(run: () => T): Promise<T> {
    if (this.#isClosed) throw new Error("Cannot write to the record: it is closed");
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#jobs.push({ run, resolve, reject });
    this.#timer ??= setImmediate(() => this.#flush());
    return (await promise) as T;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#flush();
  }

  #flush(): void {
    clearImmediate(this.#timer);
    this.#timer = undefined;
    const jobs = this.#jobs;
    if (jobs.length === 0) return;
    this.#jobs = [];
    try {
      const beganAtMs = performance.now();
      const settled = this.#commit(jobs);
      this.onCommit?.(performance.now() - beganAtMs);
      for (const settle of settled) settle();
    } catch (error) {
      for (const job of jobs) job.reject(error);
    }
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
