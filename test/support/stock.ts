import { poll } from "../../runtime/deadline.ts";
import type { TestServer } from "./server.ts";

/** Each look has the server write all its metrics, which takes time from the starts that are waited for. */
const lookEveryMs = 30;

/** Waits for a stock of so many, of the class of that name or of any. */
export async function stocked(server: TestServer, count: number, name?: string): Promise<void> {
  const probe = async (): Promise<true | undefined> => {
    const stocks = [...(await ready(server))].filter(
      ([each]) => name === undefined || each === name,
    );
    return stocks.some(([, n]) => n >= count) ? true : undefined;
  };
  await poll(`see ${count} in stock`, probe, { timeoutMs: 60_000, intervalMs: lookEveryMs });
}

/** Idle containers by class, and the warm ones. */
export async function ready(server: TestServer): Promise<Map<string, number>> {
  const metrics = await (await server.fetch("/metrics")).text();
  const stocks = metrics.matchAll(/^runlet_pool_(?:ready\{class="(.*)"\}|(warm)) (\d+)$/gm);
  return new Map([...stocks].map(([, name, warm, n]) => [name ?? warm ?? "", Number(n)]));
}
