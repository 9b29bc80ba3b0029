import { LRUCache } from "lru-cache";
import type { FunctionStore, FunctionVersionRow } from "../../store/functions.ts";
import { functionConfig, type FunctionVersion } from "../schema/function.ts";
import { RunletError } from "./errors.ts";
import { type Page, pageOf } from "./page.ts";
import type { StoredVersion } from "./ports.ts";

/** The versions of all functions, as they are read. */
export class Versions {
  readonly #store: FunctionStore;
  /** Versions never change, and reading one costs more than a warm invocation has. */
  readonly #known = new LRUCache<string, StoredVersion>({ max: 1000 });
  readonly #latest = new LRUCache<string, StoredVersion>({ max: 1000 });

  constructor(store: FunctionStore) {
    this.#store = store;
  }

  /** A version, the latest if none is named. @throws `not_found`. */
  find(name: string, version?: number): StoredVersion {
    const known =
      version === undefined ? this.#latest.get(name) : this.#known.get(keyOf(name, version));
    if (known !== undefined) return known;
    const row = this.#store.get(name, version);
    if (row === undefined) throw missing(name, version);
    const found = this.#known.get(keyOf(name, row.version)) ?? fromRow(row);
    this.#known.set(keyOf(name, row.version), found);
    if (version === undefined) this.#latest.set(name, found);
    return found;
  }

  /** A page of a function's versions, newest first. @throws `not_found` if there is no such function. */
  list(
    name: string,
    { limit, before }: { limit: number; before?: number | undefined },
  ): Page<FunctionVersion> {
    this.find(name);
    const rows = this.#store.listVersions(name, { limit: limit + 1, before });
    return pageOf(rows, limit, {
      item: (row) => describe(fromRow(row)),
      cursor: ({ version }) => String(version),
    });
  }

  /** Reads anew which version is the latest. */
  forgetLatest(name: string): void {
    this.#latest.delete(name);
  }

  /** Reads anew what there is, as after a deletion. */
  forget(): void {
    this.#known.clear();
    this.#latest.clear();
  }
}

/** A version on record as the rest of Runlet has it. */
export function fromRow(row: FunctionVersionRow): StoredVersion {
  return {
    name: row.functionName,
    version: row.version,
    config: functionConfig.parse(JSON.parse(row.configJson)),
    codeDigest: row.codeDigest,
    revisionId: row.revisionId,
    createdAtUs: row.createdAtUs,
  };
}

/** A version as callers see it. */
export function describe(stored: StoredVersion): FunctionVersion {
  const { name, version, config, codeDigest, revisionId, createdAtUs } = stored;
  return {
    ...config,
    name,
    version,
    revisionId,
    createdAtUs,
    ...(codeDigest !== null && { codeDigest }),
  };
}

function keyOf(name: string, version: number): string {
  return `${name}:${version}`;
}

function missing(name: string, version: number | undefined): RunletError {
  const what =
    version === undefined ? `function ${name}` : `version ${version} of function ${name}`;
  return new RunletError(
    "not_found",
    `Cannot find ${what}: it does not exist. List what there is with GET /v1/functions`,
  );
}
