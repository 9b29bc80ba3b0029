import type { Client } from "../../client/client.ts";
import { ApiError } from "../../client/errors.ts";
import type { FunctionStatistics } from "../../schema/statistics.ts";
import { cpuShareOf } from "../usage.ts";
import { Exposition } from "./exposition.ts";

/** How a server does, at a moment. A part that the key may not read is absent. */
export interface Figures {
  readonly atUs: number;
  readonly server?: ServerFigures;
  /** Those that were called within the window, the busiest first. */
  readonly functions?: readonly FunctionFigures[];
  /** Those that are open, the busiest first. */
  readonly sandboxes?: readonly SandboxFigures[];
}

export interface ServerFigures {
  readonly invocationsPerSecond: number;
  readonly errorsPerSecond: number;
  readonly running: number;
  readonly waiting: number;
  readonly openSandboxes: number;
  readonly pool: { readonly warm: number; readonly stocks: readonly StockFigures[] };
  readonly events: { readonly due: number; readonly running: number; readonly dead: number };
}

interface StockFigures {
  readonly class: string;
  readonly ready: number;
  readonly starting: number;
  readonly target: number;
}

export interface FunctionFigures {
  readonly name: string;
  readonly perSecond: number;
  readonly errorsPerSecond: number;
  readonly p50Us?: number | undefined;
  readonly p99Us?: number | undefined;
}

export interface SandboxFigures {
  readonly id: string;
  readonly image: string;
  readonly createdAtUs: number;
  /** Of one processor; absent before the second sample. */
  readonly cpu?: number | undefined;
  readonly memoryBytes: number;
}

/** How far back figures of functions look. */
const windowMs = 60_000;
/** How many functions, and how many sandboxes, are asked about one by one. */
const maxAsked = 20;

/** Takes figures of a server, one after the other: rates are of the time between two. */
export class FigureSource {
  readonly #client: Client;
  /** When a function was last seen to have been called. */
  readonly #calledAtMs = new Map<string, number>();
  #last: { readonly atMs: number; readonly exposition: Exposition } | undefined;

  constructor(client: Client) {
    this.#client = client;
  }

  /** The figures of this moment; rates are 0 the first time. */
  async take(): Promise<Figures> {
    const [server, functions, sandboxes] = await Promise.all([
      unlessDenied(this.#server()),
      unlessDenied(this.#functions()),
      unlessDenied(this.#sandboxes()),
    ]);
    return {
      atUs: Date.now() * 1000,
      ...(server && { server }),
      ...(functions && { functions }),
      ...(sandboxes && { sandboxes }),
    };
  }

  async #server(): Promise<ServerFigures> {
    const exposition = new Exposition(await this.#client.metrics());
    const atMs = performance.now();
    const { exposition: before, atMs: sinceMs } = this.#last ?? { exposition, atMs };
    this.#last = { exposition, atMs };
    const rate = (isMeant?: (labels: Readonly<Record<string, string>>) => boolean): number => {
      const name = "runlet_invocations_total";
      const count = exposition.sum(name, isMeant) - before.sum(name, isMeant);
      // A server that was started anew counts from 0 again.
      return perSecond(Math.max(0, count), atMs - sinceMs);
    };
    const events = (state: string): number =>
      exposition.sum("runlet_events", (labels) => labels["state"] === state);
    return {
      invocationsPerSecond: rate(),
      errorsPerSecond: rate(({ status }) => status !== "succeeded"),
      running: exposition.sum("runlet_invocations_running"),
      waiting: exposition.sum("runlet_invocations_waiting"),
      openSandboxes: exposition.sum("runlet_sandboxes_open"),
      pool: { warm: exposition.sum("runlet_pool_warm"), stocks: stocksIn(exposition) },
      events: { due: events("queued"), running: events("running"), dead: events("dead") },
    };
  }

  async #functions(): Promise<FunctionFigures[]> {
    const atMs = Date.now();
    const since = new Date(atMs - windowMs).toISOString();
    const { items } = await this.#client.invocations({ since, kind: "invoke", limit: 200 });
    for (const { functionName } of items.toReversed()) {
      if (functionName === undefined) continue;
      this.#calledAtMs.delete(functionName);
      this.#calledAtMs.set(functionName, atMs);
    }
    for (const [name, calledAtMs] of this.#calledAtMs) {
      if (calledAtMs < atMs - windowMs) this.#calledAtMs.delete(name);
    }
    const names = [...this.#calledAtMs.keys()].slice(-maxAsked);
    const statistics = await Promise.all(names.map(async (name) => await this.#statistics(name)));
    return statistics
      .filter((each) => each !== undefined)
      .map(functionFigures)
      .sort((a, b) => b.perSecond - a.perSecond || a.name.localeCompare(b.name));
  }

  async #statistics(name: string): Promise<FunctionStatistics | undefined> {
    const statistics = await unlessGone(this.#client.statistics(name, windowMs));
    return statistics?.count === 0 ? undefined : statistics;
  }

  async #sandboxes(): Promise<SandboxFigures[]> {
    const { items } = await this.#client.listSandboxes({ state: "running", limit: maxAsked });
    const figures = items.map(async ({ id, image, createdAtUs }) => {
      const stats = await unlessGone(this.#client.sandboxStats(id));
      if (stats === undefined) return undefined;
      const { memoryBytes } = stats.now;
      return { id, image, createdAtUs, cpu: cpuShareOf(stats), memoryBytes };
    });
    return (await Promise.all(figures))
      .filter((each) => each !== undefined)
      .sort((a, b) => (b.cpu ?? 0) - (a.cpu ?? 0));
  }
}

function functionFigures(statistics: FunctionStatistics): FunctionFigures {
  const { functionName: name, count, sinceUs, errors, runUs } = statistics;
  const coveredMs = Date.now() - sinceUs / 1000;
  const failed = Object.values(errors).reduce((sum, number) => sum + number, 0);
  return {
    name,
    perSecond: perSecond(count, coveredMs),
    errorsPerSecond: perSecond(failed, coveredMs),
    p50Us: runUs.p50,
    p99Us: runUs.p99,
  };
}

function stocksIn(exposition: Exposition): StockFigures[] {
  return exposition.of("runlet_pool_target").map(({ labels }) => {
    const of = (field: string): number =>
      exposition.sum(`runlet_pool_${field}`, (other) => other["class"] === labels["class"]);
    const [ready, starting, target] = [of("ready"), of("starting"), of("target")];
    return { class: labels["class"] ?? "", ready, starting, target };
  });
}

function perSecond(count: number, ms: number): number {
  return ms > 0 ? (count * 1000) / ms : 0;
}

/** What a key of other scopes is not told is left out. */
async function unlessDenied<T>(answer: Promise<T>): Promise<T | undefined> {
  return await unless("permission_denied", answer);
}

/** What was there a moment ago may have ended. */
async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  return await unless("not_found", unless("failed_precondition", answer));
}

async function unless<T>(code: string, answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.code === code) return undefined;
    throw error;
  }
}
