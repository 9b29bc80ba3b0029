import { Scheduler, type SchedulerOptions } from "../../runtime/pool/scheduler.ts";
import { isRunletError } from "./errors.ts";
import type { Functions } from "./functions.ts";
import type { FunctionConfig } from "../schema/function.ts";

export interface GatesOptions {
  functions: Functions;
  /** How many may wait at a bound whose function does not say so itself, and how long. */
  queue: Omit<SchedulerOptions, "concurrency">;
}

/**
 * The functions' own bounds, each of one function whichever version of it is called: an old one is no way around
 * what the latest one says, and what was begun before a deployment counts after it.
 */
export class Gates {
  readonly #options: GatesOptions;
  readonly #gates = new Map<string, Scheduler>();

  constructor(options: GatesOptions) {
    this.#options = options;
  }

  /** Where calls of a function wait for its bound; undefined where its latest version has none. @throws `not_found`. */
  of(name: string): Scheduler | undefined {
    const gate = this.#gates.get(name);
    if (gate !== undefined) return gate;
    const bounds = this.#boundsOf(this.#options.functions.find(name).config);
    if (bounds === undefined) return undefined;
    const made = new Scheduler({ ...this.#options.queue, ...bounds });
    this.#gates.set(name, made);
    return made;
  }

  /** Has a function's bound be what its latest version says now; without one, who waits there goes on. */
  refresh(name: string): void {
    const gate = this.#gates.get(name);
    if (gate === undefined) return;
    const bounds = this.#latestBoundsOf(name);
    if (bounds === undefined) this.#gates.delete(name);
    gate.resize(bounds ?? unbounded);
  }

  #latestBoundsOf(name: string): Bounds | undefined {
    try {
      return this.#boundsOf(this.#options.functions.find(name).config);
    } catch (error) {
      if (isRunletError(error, "not_found")) return undefined;
      throw error;
    }
  }

  #boundsOf({ concurrency, queueLimit }: FunctionConfig): Bounds | undefined {
    if (concurrency === undefined) return undefined;
    return { concurrency, queueLimit: queueLimit ?? this.#options.queue.queueLimit };
  }
}

type Bounds = Pick<SchedulerOptions, "concurrency" | "queueLimit">;

const unbounded: Bounds = { concurrency: Infinity, queueLimit: Infinity };
