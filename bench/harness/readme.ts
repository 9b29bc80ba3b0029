import { readFile, writeFile } from "node:fs/promises";
import { heads, rowsOf, verdictText } from "./report.ts";
import type { BenchResult } from "./result.ts";

/** Puts the figures of a bench into the page at `file`, between the markers of its name. */
export async function writeFigures(
  file: string,
  bench: string,
  results: readonly BenchResult[],
): Promise<void> {
  await writeFile(file, withFigures(await readFile(file, "utf8"), bench, results));
}

/** The page with the block of one bench replaced. @throws Error if the page has no such block. */
export function withFigures(page: string, bench: string, results: readonly BenchResult[]): string {
  const begin = `<!-- bench:${bench} -->`;
  const end = `<!-- /bench:${bench} -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`The page has no block for ${bench}`);
  const block = results.map(blockOf).join("\n");
  return `${page.slice(0, from + begin.length)}\n\n${block}\n${page.slice(to)}`;
}

function blockOf(result: BenchResult): string {
  const { name, unit, better, promises, skipped, host } = result;
  const rows = [
    heads,
    heads.map((_, at) => (at === 0 || at === heads.length - 1 ? "---" : "---:")),
    ...rowsOf(result),
  ];
  const { cpu, cores, kernel, runsc, platform, node, load } = host;
  const software = `Linux ${kernel}, runsc ${runsc} (${platform}), Node ${node}`;
  const machine = `${cores} cores of ${cpu}, load ${load} before; ${software}`;
  return [
    `**${name}** (${unit}, ${better} is better; ${machine})`,
    "",
    ...rows.map((row) => `| ${row.join(" | ")} |`),
    "",
    ...promises.map((verdict) => `- ${verdictText(verdict)}`),
    ...skipped.map((peer) => `- skipped ${peer.name}: ${peer.reason}`),
    "",
  ].join("\n");
}
