import type { FunctionStore } from "../../store/functions.ts";
import type {
  Deployed,
  FunctionConfig,
  FunctionSpec,
  FunctionVersion,
} from "../schema/function.ts";
import type { Aliases } from "./aliases.ts";
import type { Builder } from "./build/builder.ts";
import { codeFiles } from "./code/code-input.ts";
import { assertCondition, type Condition } from "./condition.ts";
import { RunletError } from "./errors.ts";
import { type Page, pageOf } from "./page.ts";
import type { CodeRepository, StoredVersion } from "./ports.ts";
import { describe, fromRow, type Versions } from "./versions.ts";

/** Loads a version once, without invoking it. @throws what a deployer should read. */
export type LoadCheck = (version: StoredVersion, signal?: AbortSignal) => Promise<void>;

/** The qualifier of whatever version is the latest. */
const latestQualifier = "$LATEST";

export interface FunctionsOptions {
  store: FunctionStore;
  versions: Versions;
  aliases: Aliases;
  code: CodeRepository;
  builder: Builder;
  check: LoadCheck;
  /** @throws where a configuration names something to be told of its events that cannot be. */
  checkDestinations: (name: string, config: FunctionConfig) => void;
  /** Told of each function that has a new version, or is gone. */
  onChange: (name: string) => void;
  /** What calls a function, or one version of it by its number, and would be left without, such as `schedule nightly`. */
  dependents: (name: string, version?: number) => readonly string[];
  maxCodeBytes: number;
}

/** The functions: deploying, showing, deleting. A version never changes once it is there. */
export class Functions {
  readonly #options: FunctionsOptions;

  constructor(options: FunctionsOptions) {
    this.#options = options;
  }

  /**
   * Deploys a version, with what its code depends on installed, and with `check` after it has been loaded once in a container. What equals the latest
   * version makes no new one; it is loaded all the same, since that one may have come without a check.
   * @throws `invalid_argument` for code that cannot be taken or loaded, `failed_precondition` where something that
   * it names is missing, `condition_not_met`, what a build throws; nothing is changed then.
   */
  async deploy(
    name: string,
    spec: FunctionSpec,
    options: { check: boolean; signal?: AbortSignal; condition?: Condition },
  ): Promise<{ version: Deployed; created: boolean }> {
    const { code, dependencies: _dependencies, ...config } = spec;
    const { store, versions, builder, maxCodeBytes } = this.#options;
    const sent = code === undefined ? [] : await codeFiles(code, spec.runtime, maxCodeBytes);
    const { condition = {}, signal = new AbortController().signal } = options;
    const assert = (): void => {
      this.#assert(name, condition);
      this.#options.checkDestinations(name, config);
    };
    assert();
    const { files, build } = await builder.build({ name, spec, files: sent }, signal);
    const codeDigest = files.length === 0 ? null : await this.#options.code.put(files);
    const configJson = JSON.stringify(config);
    const candidate = { name, version: 0, config, codeDigest, revisionId: "", createdAtUs: 0 };
    if (options.check) await this.#options.check(candidate, options.signal);
    // Others may have deployed or deleted while this was loaded.
    assert();
    const { version, created } = store.putVersion(name, { configJson, codeDigest });
    versions.forgetLatest(name);
    if (created) this.#options.onChange(name);
    return { version: { ...describe(this.find(name, version)), ...(build && { build }) }, created };
  }

  /** A version as callers see it. @throws `not_found`. */
  get(name: string, version?: number): FunctionVersion {
    return describe(this.find(name, version));
  }

  /** A version as the invoker needs it, the latest if none is named. @throws `not_found`. */
  find(name: string, version?: number): StoredVersion {
    return this.#options.versions.find(name, version);
  }

  /**
   * The version that a qualifier names: an alias, a number, or `$LATEST`, which is also what none means.
   * @throws `invalid_argument` for what can be none of them, `not_found`.
   */
  resolve(name: string, qualifier = latestQualifier): StoredVersion {
    if (qualifier === latestQualifier) return this.find(name);
    if (/^[1-9]\d{0,14}$/.test(qualifier)) return this.find(name, Number(qualifier));
    if (/^(?!\d+$)[\w-]+$/.test(qualifier)) {
      return this.find(name, this.#options.aliases.pick(name, qualifier));
    }
    throw new RunletError(
      "invalid_argument",
      `Cannot find ${name}:${qualifier}: name an alias, a version by its number, or ${latestQualifier}`,
    );
  }

  /** A page by name, each function with its latest version. */
  list({ limit, after }: { limit: number; after?: string | undefined }): Page<FunctionVersion> {
    const rows = this.#options.store.list({ limit: limit + 1, after });
    return pageOf(rows, limit, {
      item: ({ latest }) => describe(fromRow(latest)),
      cursor: ({ name }) => name,
    });
  }

  /**
   * Deletes a function with its aliases; its invocations stay on record.
   * @throws `not_found`, `condition_not_met`; `failed_precondition` where something still calls it.
   */
  remove(name: string, condition: Condition = {}): void {
    const { store, versions, aliases, onChange } = this.#options;
    const dependents = this.#options.dependents(name);
    if (dependents.length > 0) {
      throw new RunletError(
        "failed_precondition",
        `Cannot delete function ${name}: ${dependents.join(", ")} would be left without it. Delete what calls it first`,
      );
    }
    if (store.get(name) === undefined) {
      throw new RunletError("not_found", `Cannot delete function ${name}: it does not exist`);
    }
    this.#assert(name, condition);
    store.delete(name);
    versions.forget();
    aliases.forget();
    onChange(name);
  }

  /** Deletes a version. @throws `not_found`; `failed_precondition` for the latest one and for one that something names. */
  removeVersion(name: string, version: number): void {
    const { store, versions, aliases } = this.#options;
    versions.find(name, version);
    const refuse = (why: string): never => {
      const what = `version ${version} of function ${name}`;
      throw new RunletError("failed_precondition", `Cannot delete ${what}: ${why}`);
    };
    if (versions.find(name).version === version) {
      refuse("it is the latest. Deploy another one first, or delete the function");
    }
    const naming = aliases.naming(name, version);
    if (naming.length > 0) {
      refuse(`alias ${naming.join(", ")} names it. Send its calls to another version first`);
    }
    const dependents = this.#options.dependents(name, version);
    if (dependents.length > 0) {
      refuse(`${dependents.join(", ")} would be left without it. Delete what calls it first`);
    }
    store.deleteVersion(name, version);
    versions.forget();
  }

  /** The versions that calls are to be expected of: the latest, and those that aliases name; none of a function that is gone. */
  inUse(name: string): StoredVersion[] {
    const { store, versions, aliases } = this.#options;
    const latest = store.get(name)?.version;
    if (latest === undefined) return [];
    const numbers = new Set([latest, ...aliases.versionsNamed(name)]);
    return [...numbers].map((version) => versions.find(name, version));
  }

  /** The versions that name a secret. */
  namingSecret(secret: string): StoredVersion[] {
    return this.#options.store.versionsNamingSecret(secret).map((row) => fromRow(row));
  }

  /** The names of all functions. */
  *names(): Generator<string> {
    for (let after = ""; ;) {
      const rows = this.#options.store.list({ limit: 200, after });
      yield* rows.map((row) => row.name);
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.name;
    }
  }

  #assert(name: string, condition: Condition): void {
    const revisionId = this.#options.store.get(name)?.revisionId;
    assertCondition(`function ${name}`, revisionId, condition);
  }
}
