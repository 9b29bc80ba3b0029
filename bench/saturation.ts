import { setTimeout as sleep } from "node:timers/promises";
import type { Bench, Context } from "./harness/bench.ts";
import type { HttpLoad } from "./harness/http-load.ts";
import { Outcomes } from "./harness/outcomes.ts";
import { rateOf } from "./harness/rate.ts";
import { seriesOf, type BenchResult, type Verdict } from "./harness/result.ts";
import { startServer } from "./harness/server.ts";
import { variantAtMost } from "./harness/verdicts.ts";
import { event } from "./harness/workload.ts";

/** Invocations that run at once, and that wait: at capacity each of these places is taken. */
const slots = 4;
const places = 16;
/** One function may take half of the places to wait in. */
const queueLimit = 2 * (places - slots);
/** Beyond it, what arrives is so many times what was answered at capacity, from so many callers. */
const overload = 2;
const overloadConnections = 4 * places;
const overloadShare = 0.2;
const tickMs = 2;
const variant = "runlet@over";

/** Warm invocations for long at capacity, and then with more coming than can be answered. */
export const saturation: Bench = {
  name: "saturation",
  summary: "minutes at capacity keep p99 near p50; beyond it (@over) what is too much is told so",
  peers: [],
  defaultRuns: 300,
  counts: "seconds at capacity, and a fifth as many beyond it",
  run: async (context) => {
    const { runs, windowMs, signal, progress } = context;
    const server = await startServer(context, {
      RUNLET_MAX_CONCURRENCY: String(slots),
      RUNLET_QUEUE_LIMIT: String(queueLimit),
    });
    await server.heat();
    const path = await server.deploy("reuse");
    const load = server.load(places);
    const saturate = async (outcomes: Outcomes, forMs: number): Promise<void> => {
      const one = async (): Promise<void> => await outcomes.post(load, path, event, signal);
      await rateOf(one, { concurrency: places, windowMs: forMs, signal });
    };
    // Not measured: containers start.
    await saturate(new Outcomes(), windowMs);
    progress(`${runs} s at capacity`);
    const atCapacity = new Outcomes();
    await saturate(atCapacity, runs * 1000);
    const perSecond = atCapacity.tookMs.length / runs;
    const overSeconds = Math.ceil(runs * overloadShare);
    progress(`${overSeconds} s beyond capacity`);
    const over = new Outcomes();
    const crowd = server.load(overloadConnections);
    await arrive(
      over,
      { load: crowd, path, perSecond: perSecond * overload },
      overSeconds,
      context,
    );
    return [
      {
        name: "saturation",
        unit: "ms",
        better: "lower",
        samples: new Map([
          ["runlet", atCapacity.tookMs],
          [variant, over.tookMs],
        ]),
        facts: new Map([
          ["runlet", factsOf(atCapacity, runs)],
          [variant, factsOf(over, overSeconds)],
        ]),
        judge: (result) => [
          tailWithin(result, 10),
          variantAtMost(result, variant, 3, "p99"),
          noneOf(result, "errors", "no error but 429"),
          noneOf(result, "refusedWithoutAdvice", "each 429 has Retry-After"),
        ],
      },
    ];
  },
};

/** Posts at a rate, however slow answers are, as long as there are callers without one; waits for the last answers. */
async function arrive(
  outcomes: Outcomes,
  { load, path, perSecond }: { load: HttpLoad; path: string; perSecond: number },
  seconds: number,
  { signal }: Context,
): Promise<void> {
  const start = performance.now();
  const underWay = new Set<Promise<void>>();
  let sent = 0;
  for (let elapsedMs = 0; elapsedMs < seconds * 1000; elapsedMs = performance.now() - start) {
    while (sent < (elapsedMs / 1000) * perSecond && underWay.size < overloadConnections) {
      const posted = outcomes.post(load, path, event, signal);
      underWay.add(posted);
      void posted.finally(() => underWay.delete(posted)).catch(() => undefined);
      sent++;
    }
    await sleep(tickMs, undefined, { signal });
  }
  await Promise.all(underWay);
}

function factsOf(
  { tookMs, refused, refusedWithoutAdvice, errors }: Outcomes,
  seconds: number,
): Record<string, number> {
  const answeredPerSecond = tookMs.length / seconds;
  const refusedPerSecond = refused / seconds;
  return { answeredPerSecond, refusedPerSecond, refusedWithoutAdvice, errors };
}

function tailWithin(result: Pick<BenchResult, "series">, limit: number): Verdict {
  const { p50, p99 } = seriesOf(result, "runlet");
  return {
    promise: `p99 < ${limit} x p50`,
    figure: `${(p99 / p50).toPrecision(3)} x`,
    holds: p99 < limit * p50,
  };
}

function noneOf(result: Pick<BenchResult, "series">, fact: string, promise: string): Verdict {
  const count = result.series.reduce((sum, series) => sum + Number(series[fact]), 0);
  return { promise, figure: `${count}`, holds: count === 0, isExact: true };
}
