import { poll } from "../../runtime/deadline.ts";

const stockTimeoutMs = 300_000;
const gauges = ["ready", "target", "starting", "retired"].map((name) => `runlet_pool_${name}`);

/** Waits until a server has so many containers ready, as many as it aims at, and neither starts nor ends any. */
export async function untilStocked(url: string, count: number, signal: AbortSignal): Promise<void> {
  const isFull = async (): Promise<true | undefined> => {
    const metrics = await readMetrics(url, signal);
    const [ready = 0, target = 0, ...underWay] = gauges.map((name) => sumOf(metrics, name));
    const isQuiet = underWay.every((containers) => containers === 0);
    return isQuiet && ready >= Math.max(count, target) ? true : undefined;
  };
  await poll(`see ${count} containers in stock`, isFull, {
    timeoutMs: stockTimeoutMs,
    intervalMs: 20,
    signal,
  });
}

/** The sum of a metric over all its labels, of a page in Prometheus' text form; 0 where it is not there. */
export function sumOf(page: string, metric: string): number {
  return page
    .split("\n")
    .filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

async function readMetrics(url: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(`${url}/metrics`, { signal });
  const page = await response.text();
  if (response.ok) return page;
  throw new Error(`Cannot see the pool of ${url}: /metrics answered ${response.status}`);
}
