import { Command, Option } from "commander";
import type { SandboxStats, SandboxView } from "../../schema/sandbox.ts";
import { duration, moment, percent, size } from "../format.ts";
import { clientOf, metadataEntry, type ServerOptions, withServer } from "../options.ts";
import { type Columns, printJson, printTable } from "../output.ts";
import { cpuShareOf } from "../usage.ts";
import { printPage, queryOf, withPageBefore } from "../page.ts";

interface ListOptions extends ServerOptions {
  state?: SandboxView["state"];
  metadata?: Record<string, string>;
  limit: number;
  before?: string;
}

const states: readonly SandboxView["state"][] = ["running", "paused", "ended"];

/** `runlet sandbox ls`. */
export function listCommand(): Command {
  const examples = ["runlet sandbox ls --state running -m session=42"];
  const command = withServer(new Command("ls"), examples)
    .description("list sandboxes, open and ended, the newest first (also without a subcommand)")
    .addOption(new Option("--state <state>", "only in this state").choices(states))
    .option("-m, --metadata <name=value>", "only with this metadata, repeatable", metadataEntry);
  return withPageBefore(command, "sandbox").action(async (options: ListOptions) => {
    const { metadata, ...query } = queryOf(options);
    const page = await clientOf(options).listSandboxes({
      ...query,
      ...(metadata && { metadata: new URLSearchParams(metadata).toString() }),
    });
    const none = "No such sandboxes. Open one with: runlet sandbox create";
    printPage(page, options, { columns, none, cursor: "--before" });
  });
}

const columns: Columns<SandboxView> = {
  ID: ({ id }) => id,
  STATE: ({ state, endReason }) => (endReason === undefined ? state : `${state} (${endReason})`),
  IMAGE: ({ image }) => image,
  MEMORY: ({ memoryBytes }) => size(memoryBytes),
  CREATED: ({ createdAtUs }) => moment(createdAtUs),
  END: ({ endedAtUs, expiresAtUs }) => moment(endedAtUs ?? expiresAtUs),
};

/** `runlet sandbox stats`. */
export function statsCommand(): Command {
  return withServer(new Command("stats"), ["runlet sandbox stats ID --json"])
    .description("show what a sandbox uses; with --json also of the last five minutes")
    .argument("<id>", "the sandbox")
    .action(async (id: string, options: ServerOptions) => {
      const stats = await clientOf(options).sandboxStats(id);
      if (options.json) printJson(stats);
      else printTable(usage, [stats], "");
    });
}

const usage: Columns<SandboxStats> = {
  CPU: (stats) => percent(cpuShareOf(stats)),
  "CPU TIME": ({ now }) => duration(now.cpuUs),
  MEMORY: ({ now }) => size(now.memoryBytes),
  DISK: ({ now }) => size(now.diskBytes),
  PIDS: ({ now }) => String(now.pids),
};
