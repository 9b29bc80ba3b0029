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
  /** How many containers are to be kept started for a version. */
  provisionedOf: (version: StoredVersion) => number;
}

const keptCodeBytes = 64 * 1024 * 1024;

/** Keeps the pool's stocks in step with the functions that there are. */
export class Stocking {
  readonly #options: StockingOptions;
  /** A container from stock waits for nothing but its code, so the code of busy functions is kept at hand. */
  readonly #tasks = new LRUCache<string, GuestTask>({
    maxSize: keptCodeBytes,
    sizeCalculation: ({ body, mask }) => body.byteLength + (mask?.sizeBytes ?? 0) + 1024,
  });

  /** By function and by key, the versions that calls are expected of. */
  readonly #followed = new Map<string, ReadonlyMap<string, StoredVersion>>();

  constructor(options: StockingOptions) {
    this.#options = options;
  }

  /** Keeps stock for these versions of a function and for no other; the new ones start before the old ones go. */
  async follow(name: string, inUse: readonly StoredVersion[]): Promise<void> {
    const before = this.#followed.get(name) ?? new Map<string, StoredVersion>();
    const now = new Map(inUse.map((version) => [versionKey(version), version]));
    if (now.size === 0) this.#followed.delete(name);
    else this.#followed.set(name, now);
    try {
      const added = inUse.filter((version) => !before.has(versionKey(version)));
      await Promise.all(added.map(async (version) => await this.#add(version)));
    } finally {
      for (const version of before.values()) if (!this.#isFollowed(version)) this.#remove(version);
    }
  }

  /** Puts away what is loaded for a version, and loads it anew where calls of it are expected. */
  async reload(version: StoredVersion): Promise<void> {
    this.#remove(version);
    if (this.#isFollowed(version)) await this.#add(version);
  }

  /** Keeps as many containers started as are asked for now. */
  async provision(name: string): Promise<void> {
    const versions = this.#followed.get(name)?.values() ?? [];
    await Promise.all([...versions].map(async (version) => await this.#add(version)));
  }

  /** Fills the stock that a version takes from, and its own one where it asks for that. */
  async #add(version: StoredVersion): Promise<void> {
    if (version.config.runtime === "command") return;
    const { pool, images } = this.#options;
    const poolClass = await poolClassOf(version.config, images);
    if (!this.#isFollowed(version)) return;
    pool.fill(poolClass);
    const count = this.#options.provisionedOf(version);
    const load = async (guest: Guest): Promise<void> => await this.load(guest, version);
    pool.provision(poolClass, { key: versionKey(version), count, load });
  }

  /** Puts away what is kept for a version. */
  #remove(version: StoredVersion): void {
    const key = versionKey(version);
    this.#tasks.delete(key);
    this.#options.pool.forget(key);
  }

  #isFollowed(version: StoredVersion): boolean {
    return this.#followed.get(version.name)?.has(versionKey(version)) === true;
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
