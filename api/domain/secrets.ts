import { nowUs } from "../../runtime/clock.ts";
import { Mask } from "../../runtime/container/stdio/mask.ts";
import type { SecretStore } from "../../store/secrets.ts";
import type { FunctionConfig } from "../schema/function.ts";
import type { Secret } from "../schema/secret.ts";
import { RunletError } from "./errors.ts";
import { type Page, pageOf } from "./page.ts";
import type { StoredVersion } from "./ports.ts";

export interface SecretsOptions {
  store: SecretStore;
  /** The versions that name a secret. */
  usersOf: (name: string) => readonly StoredVersion[];
  /** The webhooks that a secret signs for. */
  webhooksOf: (name: string) => readonly string[];
  /** Told of each version of which a secret has changed. */
  onChange: (version: StoredVersion) => void;
}

/** Values that functions get in their environment and that nobody reads back. */
export class Secrets {
  readonly #options: SecretsOptions;

  constructor(options: SecretsOptions) {
    this.#options = options;
  }

  /** Sets a secret. Whoever is called next with it gets the new value. */
  set(name: string, value: string): void {
    const { store, usersOf, onChange } = this.#options;
    store.put(name, value, nowUs());
    for (const version of usersOf(name)) onChange(version);
  }

  /** A page by name, without the values. */
  list({ limit, after }: { limit: number; after?: string | undefined }): Page<Secret> {
    const rows = this.#options.store.list({ limit: limit + 1, after });
    return pageOf(rows, limit, { item: (row) => row, cursor: ({ name }) => name });
  }

  /** @throws `failed_precondition` while a function or a webhook names it, `not_found`. */
  remove(name: string): void {
    const { store, usersOf, webhooksOf } = this.#options;
    const [user] = usersOf(name).map((each) => `version ${each.version} of function ${each.name}`);
    const [needing = user] = webhooksOf(name).map((each) => `webhook ${each}`);
    if (needing !== undefined) {
      throw new RunletError(
        "failed_precondition",
        `Cannot delete secret ${name}: ${needing} needs it`,
      );
    }
    if (store.delete(name)) return;
    throw new RunletError("not_found", `Cannot delete secret ${name}: it does not exist`);
  }

  /** The whole environment of a function. @throws `failed_precondition` for a secret that does not exist. */
  environmentOf({ env, secrets }: FunctionConfig): Readonly<Record<string, string>> {
    const values = Object.entries(secrets).map(([variable, name]) => [variable, this.read(name)]);
    return values.length === 0 ? env : { ...env, ...Object.fromEntries(values) };
  }

  /** The value of a secret. @throws `failed_precondition` for one that does not exist. */
  read(name: string): string {
    const value = this.#options.store.read(name);
    if (value !== undefined) return value;
    throw new RunletError(
      "failed_precondition",
      `Cannot use secret ${name}: it does not exist. Set it with PUT /v1/secrets/${name}`,
    );
  }
}

/** Hides a function's secrets, as they are in its environment; undefined where there is nothing to hide. */
export function maskOf(
  { secrets }: Pick<FunctionConfig, "secrets">,
  env: Readonly<Record<string, string>>,
): Mask | undefined {
  return Mask.of(Object.keys(secrets).map((variable) => env[variable] ?? ""));
}
