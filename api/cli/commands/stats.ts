import { Command } from "commander";
import type { FunctionStatistics } from "../../schema/statistics.ts";
import { duration, moment, percent } from "../format.ts";
import { clientOf, type ServerOptions, wholeNumber, withServer } from "../options.ts";
import { type Columns, printJson, printTable } from "../output.ts";

/** `runlet stats`. */
export function statsCommand(): Command {
  return withServer(new Command("stats"), ["runlet stats hello --window-ms 86400000"])
    .description("show what a function's invocations come to: errors, times, starts")
    .argument("<name>", "the function")
    .option("--window-ms <n>", "how far back to look, at most 7 days", wholeNumber, 3_600_000)
    .action(async (name: string, options: ServerOptions & { windowMs: number }) => {
      const statistics = await clientOf(options).statistics(name, options.windowMs);
      if (options.json) printJson(statistics);
      else print(statistics);
    });
}

function print(statistics: FunctionStatistics): void {
  const { functionName, count, sampled, sampleCount, sinceUs, errors, starts } = statistics;
  process.stdout.write(`${functionName}: ${count} invocations since ${moment(sinceUs)}\n`);
  const counts = Object.entries(errors).map(([status, number]) => `${number} ${status}`);
  process.stdout.write(`errors: ${counts.join(", ")}\n`);
  const shares = Object.entries(starts).map(([kind, share]) => `${percent(share)} ${kind}`);
  process.stdout.write(`starts: ${shares.join(", ")}\n`);
  if (sampled) process.stdout.write(`times: of the newest ${sampleCount}\n`);
  const rows = [
    { time: "run", ...statistics.runUs },
    { time: "total", ...statistics.totalUs },
  ];
  printTable(columns, rows, "");
}

const columns: Columns<{ time: string } & FunctionStatistics["runUs"]> = {
  TIME: ({ time }) => time,
  P50: ({ p50 }) => duration(p50),
  P95: ({ p95 }) => duration(p95),
  P99: ({ p99 }) => duration(p99),
};
