import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { networkSupport } from "../../runtime/network/support.ts";
import type { Caller } from "../load/act.ts";
import { functionActs, prepareFunctions, scheduleName } from "../load/function-acts.ts";
import { newLedger, type Tally, tallyOf } from "../load/ledger.ts";
import { load } from "../load/load.ts";
import { sandboxActs } from "../load/sandbox-acts.ts";
import { startChildServer, type ChildServer } from "../support/child-server.ts";
import { startReceiver } from "../support/receiver.ts";
import { tempDir } from "../support/temp-dir.ts";
import { countsOf } from "./counts.ts";
import { collected, type Drift, driftsOf, type Sample } from "./drift.ts";
import { type Idle, metricOf, whenIdle } from "./idle.ts";
import { Probe } from "./probe.ts";

interface Enough {
  /** How long the load goes on at the least, */
  readonly forMs: number;
  /** how many invocations are answered or accepted meanwhile, */
  readonly invocations: number;
  /** and how many sandboxes are opened. */
  readonly sandboxes: number;
  /** Ends the load early. */
  readonly signal?: AbortSignal;
}

export interface SoakOptions extends Enough {
  /** How long a function's container is kept for the next call. */
  readonly keepAliveMs: number;
  /** How long the server is under load before anything is measured. */
  readonly warmUpMs: number;
  readonly sampleEveryMs: number;
  /** How long the server may take to be idle again. */
  readonly idleTimeoutMs: number;
  /** How much more memory an idle server may take than before. */
  readonly moreMemoryBytes: number;
  /** How many containers are kept started, which is always the same. */
  readonly stock: number;
  readonly onSample?: (sample: Sample, tally: Tally) => void;
}

/** What an idle server takes after the load, and took before it. */
export interface Kept {
  readonly measure: keyof Idle;
  readonly before: number;
  readonly after: number;
  readonly holds: boolean;
}

export interface SoakReport {
  readonly tally: Tally;
  readonly drifts: readonly Drift[];
  readonly kept: readonly Kept[];
  /** What callers should not have been told, and what the server should not have logged. */
  readonly surprises: readonly string[];
}

const probeEveryMs = 40;
const functionCallers = 6;
const sandboxCallers = 3;
const fewestSamples = 6;

/** Has a server of its own under mixed load, and looks whether it takes more and more. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  await using dir = await tempDir();
  await using receiver = await startReceiver();
  await using server = await startChildServer({ directory: dir.path, env: environment(options) });
  const { client } = server;
  await prepareFunctions(client, options.keepAliveMs);
  const caller = {
    client,
    ledger: newLedger(),
    callbackUrl: receiver.url,
    leavesOpen: false,
    hasNetworks: (await networkSupport()).isSupported,
  };
  await loadUntil(caller, { forMs: options.warmUpMs, invocations: 0, sandboxes: 0 });
  const whole = { server, directory: dir.path, timeoutMs: options.idleTimeoutMs };
  const before = await whenPaused(server, async () => await whenIdle(whole));
  const ledger = newLedger();
  const samples = await sampled({ ...caller, ledger }, { server, directory: dir.path, options });
  const after = await whenPaused(server, async () => await whenIdle({ ...whole, atMost: before }));
  return {
    tally: tallyOf(ledger),
    drifts: samples.length < fewestSamples ? [] : driftsOf(samples),
    kept: keptOf(before, after, options.moreMemoryBytes),
    surprises: [...caller.ledger.surprises, ...ledger.surprises, ...errorsIn(server.log())],
  };
}

function environment({ stock }: SoakOptions): Record<string, string> {
  return {
    RUNLET_POOL_FLOOR: String(stock),
    RUNLET_POOL_MAX: String(stock),
    RUNLET_SANDBOX_STOCK: "1",
    RUNLET_MAX_CONCURRENCY: "8",
    RUNLET_ALLOW_PRIVATE_CALLBACKS: "true",
    NODE_OPTIONS: `--expose-gc --import=${join(import.meta.dirname, "collect-garbage.mjs")}`,
  };
}

/** Does what is asked for of either kind. */
async function loadUntil(
  known: Omit<Caller, "signal">,
  { forMs, invocations, sandboxes, signal }: Enough,
): Promise<void> {
  // What is under way at the end comes to its own.
  const caller = { ...known, signal: new AbortController().signal };
  const start = performance.now();
  const isOver = (count: (tally: Tally) => number, least: number) => (): boolean => {
    const isLongEnough = performance.now() - start >= forMs;
    return signal?.aborted === true || (isLongEnough && count(tallyOf(caller.ledger)) >= least);
  };
  const ofFunctions = isOver(({ answered, accepted }) => answered + accepted, invocations);
  const ofSandboxes = isOver(({ sandboxes: opened }) => opened, sandboxes);
  const how = { mayEnd: false };
  await Promise.all([
    load(caller, { ...how, acts: functionActs, callers: functionCallers, isEnough: ofFunctions }),
    load(caller, { ...how, acts: sandboxActs, callers: sandboxCallers, isEnough: ofSandboxes }),
  ]);
}

/** Puts the server under load and looks at it meanwhile. */
async function sampled(
  caller: Omit<Caller, "signal">,
  { server, directory, options }: { server: ChildServer; directory: string; options: SoakOptions },
): Promise<Sample[]> {
  const { sampleEveryMs, onSample } = options;
  const { client, ledger } = caller;
  const start = performance.now();
  const over = new AbortController();
  const samples: Sample[] = [];
  await using probe = new Probe(async () => await client.invoke("warm"), probeEveryMs);
  const look = async (): Promise<void> => {
    for (;;) {
      await sleep(sampleEveryMs, undefined, { signal: over.signal }).catch(() => undefined);
      if (over.signal.aborted) return;
      const sample: Sample = {
        atMs: performance.now() - start,
        memoryBytes: server.memory().nowBytes,
        heapBytes: await metricOf(server, "nodejs_heap_size_used_bytes"),
        ...countsOf(server, directory),
        ...probe.read(),
      };
      samples.push(sample);
      onSample?.(sample, tallyOf(ledger));
    }
  };
  const looking = look();
  await loadUntil(caller, options);
  over.abort();
  await looking;
  return samples;
}

/** While a schedule comes due, no server is idle. */
async function whenPaused<T>({ client }: ChildServer, measure: () => Promise<T>): Promise<T> {
  await client.pauseSchedule(scheduleName);
  const measured = await measure();
  await client.resumeSchedule(scheduleName);
  return measured;
}

function keptOf(before: Idle, after: Idle, moreMemoryBytes: number): Kept[] {
  return (Object.keys(before) as (keyof Idle)[]).map((measure) => {
    const more = after[measure] - before[measure];
    const most = collected.has(measure) ? moreMemoryBytes : 0;
    return { measure, before: before[measure], after: after[measure], holds: more <= most };
  });
}

function errorsIn(log: string): string[] {
  return log.split("\n").filter((line) => /^\{"level":(?:"error"|50)/.test(line));
}
