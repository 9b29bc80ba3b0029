import { LRUCache } from "lru-cache";
import { endInTime } from "../../runtime/container/program.ts";
import type { Guest, GuestTask } from "../../runtime/guest/guest.ts";
import type { ImageStore } from "../../runtime/image/image-store.ts";
import type { Pool } from "../../runtime/pool/pool.ts";
import type { FunctionConfig } from "../schema/function.ts";
import { guestTask } from "./code/task.ts";
import { RunletError } from "./errors.ts";
import { failureOf, loadTimeoutMs, versionKey } from "./handler-run.ts";
import { poolClassOf } from "./pool-class.ts";
import type { CodeRepository, StoredVersion } from "./ports.ts";

export interface StockingOptions {
  pool: Pool;
  images: ImageStore;
  code: CodeRepository;
  /** A function's whole environment. @throws for a secret that does not exist. */
  environmentOf: (config: FunctionConfig) => Readonly<Record<string, string>>;
}

const keptCodeBytes = 64 * 1024 * 1024;

/** Keeps the pool's stocks in step with the functions that there are. */
export class Stocking {
  readonly #options: StockingOptions;
  /** A container from stock waits for nothing but its code, so the code of busy functions is kept at hand. */
  readonly #tasks = new LRUCache<string, GuestTask>({
    maxSize: keptCodeBytes,
    sizeCalculation: (task) => task.body.byteLength + 1024,
  });

  constructor(options: StockingOptions) {
    this.#options = options;
  }

  /** Fills the stock that a version takes from, and its own one where it asks for that. */
  async add(version: StoredVersion): Promise<void> {
    if (version.config.runtime === "command") return;
    const { pool, images } = this.#options;
    const poolClass = await poolClassOf(version.config, images);
    pool.fill(poolClass);
    const count = version.config.provisioned;
    const load = async (guest: Guest): Promise<void> => await this.load(guest, version);
    pool.provision(poolClass, { key: versionKey(version), count, load });
  }

  /** Puts away what is kept for a version. */
  remove(version: StoredVersion): void {
    const key = versionKey(version);
    this.#tasks.delete(key);
    this.#options.pool.forget(key);
  }

  /** A version's code as a guest is given it. */
  async task(version: StoredVersion): Promise<GuestTask> {
    const key = versionKey(version);
    const known = version.version > 0 ? this.#tasks.get(key) : undefined;
    if (known !== undefined) return known;
    const { codeDigest } = version;
    const files = codeDigest === null ? [] : await this.#options.code.read(codeDigest);
    const task = guestTask(version, files, this.#options.environmentOf(version.config));
    if (version.version > 0) this.#tasks.set(key, task);
    return task;
  }

  /** Loads a version into a container ahead of its next call. @throws `function_error` where it does not load. */
  async load(guest: Guest, version: StoredVersion): Promise<void> {
    guest.limit(version.config);
    using _limit = endInTime(guest.init, loadTimeoutMs);
    const loaded = await guest.load(await this.task(version));
    if (loaded.kind === "answered") return;
    const { failure } = failureOf(loaded, loadTimeoutMs);
    const why = `function ${version.name} does not load: ${failure.message}`;
    throw new RunletError("function_error", `Cannot provision a container: ${why}`);
  }
}
