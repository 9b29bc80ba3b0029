import { nowUs } from "../../runtime/clock.ts";
import type { Scheduler } from "../../runtime/pool/scheduler.ts";
import type { ConcurrencyRow, ConcurrencyStore } from "../../store/concurrency.ts";
import type { FunctionConcurrency } from "../schema/concurrency.ts";
import { RunletError } from "./errors.ts";
import { withoutNulls } from "./nulls.ts";
import type { StoredVersion } from "./ports.ts";
import type { Versions } from "./versions.ts";

export interface ConcurrencyOptions {
  store: ConcurrencyStore;
  versions: Versions;
  scheduler: Scheduler;
  /** How many containers run at once, of all functions. */
  slots: number;
  /** Told of each function of which another number of containers is to be kept started. */
  onProvisioned: (functionName: string) => void;
}

/** Of all slots, the share that cannot be reserved, and of which there is one at least. */
const unreservedShare = 0.1;

/**
 * What is set for functions beside their versions, so that it changes without a deployment: slots that are kept
 * for one, and how many containers are kept started for it.
 */
export class Concurrency {
  readonly #options: ConcurrencyOptions;
  /** Each call reads it, and it changes here alone. */
  readonly #known = new Map<string, ConcurrencyRow>();
  readonly #reserved = new Map<string, number>();

  constructor(options: ConcurrencyOptions) {
    this.#options = options;
    for (const row of options.store.all()) this.#apply(row.functionName, row);
  }

  /** What is set for a function. @throws `not_found`. */
  get(name: string): FunctionConcurrency {
    this.#options.versions.find(name);
    const { reserved, provisioned } = this.#known.get(name) ?? unset;
    return withoutNulls({ reserved, provisioned });
  }

  /**
   * Sets all of it; what is left out is unset.
   * @throws `not_found`; `failed_precondition` where too few slots would be left to functions without a
   * reservation; `invalid_argument` for containers that a command function cannot have.
   */
  set(name: string, { reserved, provisioned }: FunctionConcurrency): FunctionConcurrency {
    const { runtime } = this.#options.versions.find(name).config;
    if (reserved !== undefined) this.#requireSlots(name, reserved);
    if (provisioned !== undefined) requireProvisionable(name, runtime);
    this.#write({
      functionName: name,
      reserved: reserved ?? null,
      provisioned: provisioned ?? null,
      provisionedAtUs: nowUs(),
    });
    return this.get(name);
  }

  /** Sets how many containers are kept started from a moment on, unless it was set for a later one. @throws as {@link set}. */
  provision(name: string, provisioned: number, atUs: number): void {
    this.requireProvisionable(name);
    const known = this.#known.get(name);
    if (known !== undefined && known.provisionedAtUs >= atUs) return;
    const reserved = known?.reserved ?? null;
    this.#write({ functionName: name, reserved, provisioned, provisionedAtUs: atUs });
  }

  /** @throws `not_found`; `invalid_argument` for a function of which no container can be kept started. */
  requireProvisionable(name: string): void {
    requireProvisionable(name, this.#options.versions.find(name).config.runtime);
  }

  /** Unsets all of it. @throws `not_found`. */
  remove(name: string): void {
    this.#options.versions.find(name);
    this.#options.store.delete(name);
    this.refresh(name);
    this.#options.onProvisioned(name);
  }

  /** Reads anew what is set for a function, as after its deletion. */
  refresh(name: string): void {
    this.#apply(name, this.#options.store.get(name));
  }

  /** The functions with a reservation, and how many slots are kept for each. */
  get reserved(): ReadonlyMap<string, number> {
    return this.#reserved;
  }

  /** Whether a slot is left to functions without a reservation, which a server with fewer slots may not have. */
  get hasUnreserved(): boolean {
    return this.#reservedSlots() < this.#options.slots;
  }

  /** How many containers are to be kept started for a version that calls are expected of. */
  provisionedOf({ name, config }: StoredVersion): number {
    return this.#known.get(name)?.provisioned ?? config.provisioned;
  }

  /** @throws `resource_exhausted` for a function that is stopped. */
  requireRunning(name: string): void {
    if (this.#reserved.get(name) !== 0) return;
    throw new RunletError(
      "resource_exhausted",
      `Cannot run function ${name}: it is stopped, since no container slots are reserved for it. Reserve some with PUT /v1/functions/${name}/concurrency`,
    );
  }

  #reservedSlots(): number {
    return this.#reserved.values().reduce((sum, each) => sum + each, 0);
  }

  #requireSlots(name: string, reserved: number): void {
    const { slots } = this.#options;
    const others = this.#reservedSlots() - (this.#reserved.get(name) ?? 0);
    const kept = Math.max(1, Math.ceil(slots * unreservedShare));
    const most = Math.max(0, slots - kept - others);
    if (reserved <= most) return;
    throw new RunletError(
      "failed_precondition",
      `Cannot reserve ${reserved} container slots for function ${name}: of ${slots}, ${others} are reserved for other functions and ${kept} must be left to those without a reservation. Reserve ${most} at most, or start the server with a larger RUNLET_MAX_CONCURRENCY`,
    );
  }

  #write(row: ConcurrencyRow): void {
    this.#options.store.put(row);
    this.#apply(row.functionName, row);
    this.#options.onProvisioned(row.functionName);
  }

  #apply(name: string, row: ConcurrencyRow | undefined): void {
    if (row === undefined) this.#known.delete(name);
    else this.#known.set(name, row);
    const reserved = row?.reserved ?? undefined;
    if (reserved === this.#reserved.get(name)) return;
    if (reserved === undefined) this.#reserved.delete(name);
    else this.#reserved.set(name, reserved);
    this.#options.scheduler.reserve(name, reserved);
  }
}

const unset = { reserved: null, provisioned: null } as const;

function requireProvisionable(name: string, runtime: StoredVersion["config"]["runtime"]): void {
  if (runtime !== "command") return;
  throw new RunletError(
    "invalid_argument",
    `Cannot keep containers of function ${name} started: each call of a command function starts its own`,
  );
}
