import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { Command } from "commander";
import { Client } from "../../client/client.ts";
import { apiKeyFor } from "../api-key.ts";
import { ConnectionError } from "../../client/errors.ts";
import { Changes } from "../dev/changes.ts";
import { jsonReport, type Report, textReport } from "../dev/report.ts";
import { playRound, type RoundOptions } from "../dev/round.ts";
import { type ServerOptions, withServer } from "../options.ts";

interface DevOptions extends ServerOptions {
  name?: string;
  event?: string;
  invoke: boolean;
}

const examples = [
  "runlet dev hello",
  "runlet dev hello --event big-order.json",
  "runlet dev hello --no-invoke",
];

/** `runlet dev`. */
export function devCommand(): Command {
  return withServer(new Command("dev"), examples)
    .description(
      "deploy a directory at each save, invoke it, and show what it does; Ctrl-C ends it",
    )
    .argument("[dir]", "the directory", ".")
    .option("--name <name>", "name of the function; from runlet.json or the path by default")
    .option("--event <path>", "file with the event; event.json of the directory by default")
    .option("--no-invoke", "deploy only")
    .action(async (directory: string, { url, json, ...options }: DevOptions) => {
      const path = resolve(directory);
      const info = await stat(path).catch(() => undefined);
      if (!info?.isDirectory()) {
        throw new Error(`Cannot watch ${directory}: no such directory. Begin one with runlet init`);
      }
      const end = new AbortController();
      const interrupt = (): void => end.abort();
      process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
      if (!json) process.stderr.write(`Watching ${directory}; Ctrl-C ends it\n`);
      const report = json ? jsonReport : textReport;
      await watchAndPlay({ url, report, signal: end.signal }, { ...options, directory: path });
    });
}

/** A save while a round runs ends that round: only the newest code is of interest. */
async function watchAndPlay(
  { url, report, signal }: { url: string; report: Report; signal: AbortSignal },
  options: RoundOptions,
): Promise<void> {
  using changes = new Changes(options.directory);
  signal.addEventListener("abort", () => changes[Symbol.dispose]());
  let { next } = changes;
  let isReached = false;
  const told: Report = {
    ...report,
    deployed: (...deployed) => {
      isReached = true;
      report.deployed(...deployed);
    },
  };
  while (!signal.aborted) {
    const over = new AbortController();
    const client = new Client({ url, apiKey: apiKeyFor(url), signal: over.signal });
    const round = playRound(client, told, options).catch((error: unknown) => {
      if (over.signal.aborted) return;
      if (!isReached && error instanceof ConnectionError) throw error;
      report.failed(error);
    });
    await Promise.race([next, round.then(async () => await next)]);
    ({ next } = changes);
    over.abort();
    await round;
  }
}
