import { LRUCache } from "lru-cache";
import { nowUs } from "../../runtime/clock.ts";
import type { AliasRow, AliasStore } from "../../store/aliases.ts";
import type { Alias, AliasTarget } from "../schema/alias.ts";
import { assertCondition, type Condition } from "./condition.ts";
import { RunletError } from "./errors.ts";
import { type Page, pageOf } from "./page.ts";
import type { Versions } from "./versions.ts";

export interface AliasesOptions {
  store: AliasStore;
  versions: Versions;
  /** Told of each function of which an alias has changed. */
  onChange: (functionName: string) => void;
  /** What calls by an alias and would be left without it, such as `schedule nightly`. */
  dependents: (functionName: string, name: string) => readonly string[];
  /** Decides for each call between two versions, from 0 up to 1. */
  random?: () => number;
}

/** The aliases: names for versions, which may be moved from one to the next. */
export class Aliases {
  readonly #options: AliasesOptions;
  readonly #random: () => number;
  /** They change here alone, and each call by an alias reads one. */
  readonly #known = new LRUCache<string, AliasRow>({ max: 1000 });

  constructor(options: AliasesOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /**
   * Makes an alias, or sends the one of that name elsewhere.
   * @throws `invalid_argument` for two versions that are one, `not_found` for a version that is not there, `condition_not_met`.
   */
  put(
    functionName: string,
    name: string,
    target: AliasTarget,
    condition: Condition = {},
  ): { alias: Alias; created: boolean } {
    const { store, versions, onChange } = this.#options;
    const { version, second, description } = target;
    versions.find(functionName, version);
    if (second !== undefined) versions.find(functionName, second.version);
    if (second?.version === version) {
      throw new RunletError(
        "invalid_argument",
        `Cannot set alias ${name} of function ${functionName}: its second version must be another one than ${version}`,
      );
    }
    const present = store.get(functionName, name);
    assertCondition(`alias ${name} of function ${functionName}`, present?.revisionId, condition);
    const row = store.put({
      functionName,
      name,
      version,
      secondVersion: second?.version ?? null,
      secondWeight: second?.weight ?? null,
      description,
      atUs: nowUs(),
    });
    this.forget();
    onChange(functionName);
    return { alias: describe(row), created: present === undefined };
  }

  /** Makes an alias. @throws as {@link put}, and `already_exists`. */
  create(functionName: string, name: string, target: AliasTarget): Alias {
    if (this.#options.store.get(functionName, name) !== undefined) {
      throw new RunletError(
        "already_exists",
        `Cannot create alias ${name} of function ${functionName}: it exists already. Change it with PUT`,
      );
    }
    return this.put(functionName, name, target).alias;
  }

  /** @throws `not_found`. */
  get(functionName: string, name: string): Alias {
    return describe(this.#find(functionName, name));
  }

  /** A page of a function's aliases by name. @throws `not_found` if there is no such function. */
  list(
    functionName: string,
    { limit, after }: { limit: number; after?: string | undefined },
  ): Page<Alias> {
    this.#options.versions.find(functionName);
    const rows = this.#options.store.list(functionName, { limit: limit + 1, after });
    return pageOf(rows, limit, { item: describe, cursor: ({ name }) => name });
  }

  /** Deletes an alias; its versions stay. @throws `not_found`, `condition_not_met`; `failed_precondition` where something still calls by it. */
  remove(functionName: string, name: string, condition: Condition = {}): void {
    const { revisionId } = this.#find(functionName, name);
    const what = `alias ${name} of function ${functionName}`;
    assertCondition(what, revisionId, condition);
    const dependents = this.#options.dependents(functionName, name);
    if (dependents.length > 0) {
      throw new RunletError(
        "failed_precondition",
        `Cannot delete ${what}: ${dependents.join(", ")} would be left without it. Delete what calls it first`,
      );
    }
    this.#options.store.delete(functionName, name);
    this.forget();
    this.#options.onChange(functionName);
  }

  /** The version that the next call by an alias is for. @throws `not_found`. */
  pick(functionName: string, name: string): number {
    const { version, secondVersion, secondWeight } = this.#find(functionName, name);
    if (secondVersion === null || secondWeight === null) return version;
    return this.#random() < secondWeight ? secondVersion : version;
  }

  /** The names of the aliases that send calls to a version. */
  naming(functionName: string, version: number): string[] {
    return this.#options.store.naming(functionName, version);
  }

  /** The versions that a function's aliases send calls to. */
  versionsNamed(functionName: string): number[] {
    return this.#options.store.versionsNamed(functionName);
  }

  /** Reads anew what there is, as after the deletion of a function. */
  forget(): void {
    this.#known.clear();
  }

  #find(functionName: string, name: string): AliasRow {
    const key = `${functionName}:${name}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const row = this.#options.store.get(functionName, name);
    if (row === undefined) {
      this.#options.versions.find(functionName);
      throw new RunletError(
        "not_found",
        `Cannot find alias ${name} of function ${functionName}: it does not exist. List what there is with GET /v1/functions/${functionName}/aliases`,
      );
    }
    this.#known.set(key, row);
    return row;
  }
}

function describe({ secondVersion, secondWeight, ...row }: AliasRow): Alias {
  const isWeighted = secondVersion !== null && secondWeight !== null;
  return {
    ...row,
    ...(isWeighted && { second: { version: secondVersion, weight: secondWeight } }),
  };
}
