import { LRUCache } from "lru-cache";
import type { FunctionStore, FunctionVersionRow } from "../../store/functions.ts";
import { functionConfig, type FunctionSpec, type FunctionVersion } from "../schema/function.ts";
import { codeFiles } from "./code/code-input.ts";
import { RunletError } from "./errors.ts";
import type { CodeRepository, StoredVersion } from "./ports.ts";

/** Loads a version once, without invoking it. @throws what a deployer should read. */
export type LoadCheck = (version: StoredVersion, signal?: AbortSignal) => Promise<void>;

/** The qualifier of whatever version is the latest. */
const latestQualifier = "$LATEST";

export interface FunctionsOptions {
  store: FunctionStore;
  code: CodeRepository;
  check: LoadCheck;
  /** Told of each new version, and of the latest one when its function goes. */
  onChange: (change: "added" | "removed", version: StoredVersion) => void;
  /** What calls a function by its name and would be left without it, such as `schedule nightly`. */
  dependents: (name: string) => readonly string[];
  maxCodeBytes: number;
}

/** The functions: deploying, showing, deleting. A version never changes once it is there. */
export class Functions {
  readonly #options: FunctionsOptions;
  /** Versions never change, and reading one costs more than a warm invocation has. */
  readonly #versions = new LRUCache<string, StoredVersion>({ max: 1000 });
  /** Which version is the latest changes here alone. */
  readonly #latest = new LRUCache<string, StoredVersion>({ max: 1000 });

  constructor(options: FunctionsOptions) {
    this.#options = options;
  }

  /**
   * Deploys a version after it has been loaded once in a container. What equals the latest version makes
   * no new one.
   * @throws `invalid_argument` for code that cannot be taken or loaded; nothing is changed then.
   */
  async deploy(
    name: string,
    spec: FunctionSpec,
    signal?: AbortSignal,
  ): Promise<{ version: FunctionVersion; created: boolean }> {
    const { code, ...config } = spec;
    const { store, maxCodeBytes } = this.#options;
    const files = code === undefined ? [] : await codeFiles(code, spec.runtime, maxCodeBytes);
    const codeDigest = files.length === 0 ? null : await this.#options.code.put(files);
    const candidate: StoredVersion = { name, version: 0, config, codeDigest, createdAtUs: 0 };
    const configJson = JSON.stringify(config);
    const latest = store.get(name);
    const isNew = latest?.configJson !== configJson || latest.codeDigest !== codeDigest;
    if (isNew) await this.#options.check(candidate, signal);
    const { version, created } = store.putVersion(name, { configJson, codeDigest });
    this.#latest.delete(name);
    const stored = this.find(name, version);
    if (created) {
      if (latest !== undefined) this.#options.onChange("removed", fromRow(latest));
      this.#options.onChange("added", stored);
    }
    return { version: describe(stored), created };
  }

  /** A version as callers see it. @throws `not_found`. */
  get(name: string, version?: number): FunctionVersion {
    return describe(this.find(name, version));
  }

  /** A version as the invoker needs it. @throws `not_found`. */
  find(name: string, version?: number): StoredVersion {
    const known = version === undefined ? this.#latest.get(name) : undefined;
    if (known !== undefined) return known;
    const row = this.#options.store.get(name, version);
    if (row !== undefined) {
      const found = this.#read(row);
      if (version === undefined) this.#latest.set(name, found);
      return found;
    }
    const what =
      version === undefined ? `function ${name}` : `version ${version} of function ${name}`;
    throw new RunletError(
      "not_found",
      `Cannot find ${what}: it does not exist. List what there is with GET /v1/functions`,
    );
  }

  /**
   * The version that a qualifier names: a number, `$LATEST`, which is also what none means.
   * @throws `invalid_argument` for what is neither, `not_found`.
   */
  resolve(name: string, qualifier = latestQualifier): StoredVersion {
    if (qualifier === latestQualifier) return this.find(name);
    if (/^[1-9]\d{0,14}$/.test(qualifier)) return this.find(name, Number(qualifier));
    throw new RunletError(
      "invalid_argument",
      `Cannot find ${name}:${qualifier}: name a version by its number, or ${latestQualifier}`,
    );
  }

  list(page: { limit: number; after?: string | undefined }): {
    items: FunctionVersion[];
    next?: string;
  } {
    const rows = this.#options.store.list({
      limit: page.limit + 1,
      ...(page.after !== undefined && { after: page.after }),
    });
    const items = rows.slice(0, page.limit).map((row) => describe(fromRow(row.latest)));
    const last = items.at(-1);
    return rows.length > page.limit && last ? { items, next: last.name } : { items };
  }

  /**
   * Deletes a function; its invocations stay on record.
   * @throws `not_found`; `failed_precondition` where something still calls it.
   */
  remove(name: string): void {
    const dependents = this.#options.dependents(name);
    if (dependents.length > 0) {
      throw new RunletError(
        "failed_precondition",
        `Cannot delete function ${name}: ${dependents.join(", ")} would be left without it. Delete what calls it first`,
      );
    }
    const latest = this.#options.store.get(name);
    this.#latest.delete(name);
    if (latest === undefined || !this.#options.store.delete(name)) {
      throw new RunletError("not_found", `Cannot delete function ${name}: it does not exist`);
    }
    this.#options.onChange("removed", fromRow(latest));
  }

  /** The versions that name a secret. */
  namingSecret(secret: string): StoredVersion[] {
    return this.#options.store.versionsNamingSecret(secret).map((row) => fromRow(row));
  }

  /** The latest version of every function. */
  *latest(): Generator<StoredVersion> {
    for (let after = ""; ;) {
      const rows = this.#options.store.list({ limit: 200, after });
      yield* rows.map((row) => fromRow(row.latest));
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.name;
    }
  }

  #read(row: FunctionVersionRow): StoredVersion {
    const key = `${row.functionName}:${row.version}`;
    let version = this.#versions.get(key);
    if (version === undefined) {
      version = fromRow(row);
      this.#versions.set(key, version);
    }
    return version;
  }
}

function fromRow(row: FunctionVersionRow): StoredVersion {
  return {
    name: row.functionName,
    version: row.version,
    config: functionConfig.parse(JSON.parse(row.configJson)),
    codeDigest: row.codeDigest,
    createdAtUs: row.createdAtUs,
  };
}

function describe({
  name,
  version,
  config,
  codeDigest,
  createdAtUs,
}: StoredVersion): FunctionVersion {
  return { ...config, name, version, createdAtUs, ...(codeDigest !== null && { codeDigest }) };
}
