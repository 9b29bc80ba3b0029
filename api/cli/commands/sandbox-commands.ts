import { Command } from "commander";
import type { SandboxCommand } from "../../schema/sandbox-command.ts";
import { endOfCommand, printFollowed } from "../followed-command.ts";
import { moment } from "../format.ts";
import { clientOf, type ServerOptions, withServer } from "../options.ts";
import { type Columns, printDone } from "../output.ts";
import { printPage, queryOf, withPageBefore } from "../page.ts";
import { printable } from "../terminal.ts";

interface ListOptions extends ServerOptions {
  all?: boolean;
  limit: number;
  before?: string;
}

/** `runlet sandbox ps`. */
export function psCommand(): Command {
  const command = withServer(new Command("ps"), ["runlet sandbox ps ID --all"])
    .description("list the commands of a sandbox that run, the newest first")
    .argument("<id>", "the sandbox")
    .option("-a, --all", "list those that have ended, too");
  return withPageBefore(command, "command").action(async (id: string, options: ListOptions) => {
    const { all, ...query } = queryOf(options);
    const asked = all ? query : { ...query, state: "running" as const };
    const page = await clientOf(options).commands(id, asked);
    printPage(page, options, { columns, none: "No such commands.", cursor: "--before" });
  });
}

const columns: Columns<SandboxCommand> = {
  ID: ({ id }) => id,
  PID: ({ pid }) => String(pid),
  STARTED: ({ startedAtUs }) => moment(startedAtUs),
  STATE: endOfCommand,
  TAG: ({ tag = "-" }) => shortened(tag),
  COMMAND: ({ args }) => shortened(args.join(" ")),
};

const commandColumns = 80;

/** What a client wrote there shall neither break the table nor control the terminal. */
function shortened(text: string): string {
  const line = printable(text.replaceAll(/\s+/g, " "), { isTTY: true });
  return line.length <= commandColumns ? line : `${line.slice(0, commandColumns - 1)}…`;
}

/** `runlet sandbox kill`. */
export function killCommand(): Command {
  return withServer(new Command("kill"), ["runlet sandbox kill ID COMMAND -s KILL"])
    .description("send a signal to a command and to all of its session")
    .argument("<id>", "the sandbox")
    .argument("<command>", "the command's id")
    .option("-s, --signal <name>", "the signal", "TERM")
    .action(async (id: string, of: string, options: ServerOptions & { signal: string }) => {
      const { signal } = options;
      await clientOf(options).signalCommand(id, of, signal);
      printDone(options, { signaled: of, signal }, `Sent ${signal} to ${of}`);
    });
}

/** `runlet sandbox logs`. */
export function logsCommand(): Command {
  return withServer(new Command("logs"), ["runlet sandbox logs ID COMMAND"])
    .description("show what a command wrote, the last megabyte, and follow it to its end")
    .argument("<id>", "the sandbox")
    .argument("<command>", "the command's id; Ctrl-C ends the following, and not the command")
    .action(async (id: string, of: string, options: ServerOptions) => {
      const { json } = options;
      const ended = await printFollowed(clientOf(options).followCommand(id, of), { json });
      if (!json) process.stderr.write(`-- ${of} ${endOfCommand(ended)}\n`);
    });
}
