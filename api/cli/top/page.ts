import { duration, moment, percent, size } from "../format.ts";
import { type Columns, tableLines } from "../output.ts";
import type { Figures, FunctionFigures, SandboxFigures, ServerFigures } from "./figures.ts";

/** Figures as lines for people. */
export function pageOf({ atUs, server, functions, sandboxes }: Figures, url: string): string[] {
  const missing = [
    ...(server === undefined ? ["metrics"] : []),
    ...(functions === undefined ? ["invoke"] : []),
    ...(sandboxes === undefined ? ["sandbox"] : []),
  ];
  return [
    `Runlet at ${url}  ${moment(atUs)}`,
    ...(missing.length > 0 ? [`The key lacks what shows more: ${missing.join(", ")}`] : []),
    ...(server === undefined ? [] : serverLines(server)),
    ...table(functionColumns, functions),
    ...table(sandboxColumns, sandboxes),
  ];
}

function serverLines({ pool, events, ...server }: ServerFigures): string[] {
  const { invocationsPerSecond, errorsPerSecond, running, waiting } = server;
  const stocks = pool.stocks.map(
    ({ class: name, ready, starting, target }) =>
      `${name} ${ready}/${target}${starting > 0 ? ` (+${starting})` : ""}`,
  );
  return [
    `Invocations  ${rate(invocationsPerSecond)}  errors ${rate(errorsPerSecond)}  running ${running}  queued ${waiting}`,
    `Pool         warm ${pool.warm}  ${stocks.join("  ")}`.trimEnd(),
    `Events       due ${events.due}  running ${events.running}  dead ${events.dead}`,
    `Sandboxes    open ${server.openSandboxes}`,
  ];
}

function table<T>(columns: Columns<T>, items: readonly T[] = []): string[] {
  return items.length === 0 ? [] : ["", ...tableLines(columns, items)];
}

const functionColumns: Columns<FunctionFigures> = {
  FUNCTION: ({ name }) => name,
  CALLS: ({ perSecond }) => rate(perSecond),
  ERRORS: ({ errorsPerSecond }) => rate(errorsPerSecond),
  P50: ({ p50Us }) => duration(p50Us),
  P99: ({ p99Us }) => duration(p99Us),
};

const sandboxColumns: Columns<SandboxFigures> = {
  SANDBOX: ({ id }) => id,
  CPU: ({ cpu }) => percent(cpu),
  MEMORY: ({ memoryBytes }) => size(memoryBytes),
  IMAGE: ({ image }) => image,
  CREATED: ({ createdAtUs }) => moment(createdAtUs),
};

/** So many a second; few are told by their parts. */
function rate(perSecond: number): string {
  return `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)}/s`;
}
