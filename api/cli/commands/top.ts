import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../options.ts";
import { printJson } from "../output.ts";
import { ConnectionError } from "../../client/errors.ts";
import { type Figures, FigureSource } from "../top/figures.ts";
import { pageOf } from "../top/page.ts";
import { Screen } from "../top/screen.ts";

interface TopOptions extends ServerOptions {
  once?: boolean;
}

/** How often figures are taken, and what rates are of. */
const everyMs = 1_000;

/** `runlet top`. */
export function topCommand(): Command {
  return withServer(new Command("top"), ["runlet top", "runlet top --once --json"])
    .description(
      "watch a server at work: calls, pool, events, functions of the last minute, sandboxes",
    )
    .option("--once", "print the figures of one second and end, as without a terminal")
    .action(async (options: TopOptions) => {
      const isLive = process.stdin.isTTY && process.stdout.isTTY;
      if (isLive && !options.once && !options.json) return await watch(options);
      const figures = await takeOnce(new FigureSource(clientOf(options)));
      if (options.json) printJson(figures);
      else process.stdout.write(`${pageOf(figures, options.url).join("\n")}\n`);
    });
}

async function takeOnce(source: FigureSource): Promise<Figures> {
  await source.take();
  await sleep(everyMs);
  return await source.take();
}

/** Shows figures until somebody has seen enough. @throws ConnectionError where there is no server from the start. */
async function watch(options: ServerOptions): Promise<void> {
  const quit = new AbortController();
  const { signal } = quit;
  const source = new FigureSource(clientOf(options, signal));
  let page = pageOf(await source.take(), options.url);
  using screen = new Screen(() => quit.abort());
  screen.show(page);
  while (!signal.aborted) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      page = pageOf(await source.take(), options.url);
      screen.show(page);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ConnectionError)) throw error;
      // It may come back; what was seen last stays.
      screen.show([error.message, ...page]);
    }
  }
}
