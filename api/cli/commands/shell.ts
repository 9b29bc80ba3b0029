import { once } from "node:events";
import type { Terminal } from "../../client/terminal.ts";
import { exitCodeOfCommand } from "../followed-command.ts";
import { size } from "../format.ts";
import { clientOf, environmentEntry, given, type ServerOptions, withServer } from "../options.ts";
import { TrailingCommand } from "../trailing-command.ts";

interface ShellOptions extends ServerOptions {
  attach?: string;
  env?: Record<string, string>;
  cwd?: string;
  user?: string;
}

const examples = [
  "runlet shell ID",
  "runlet shell ID -- python3",
  "runlet shell ID --attach COMMAND",
];

/** `runlet shell`. */
export function shellCommand(): TrailingCommand {
  const command = new TrailingCommand("shell")
    .description("open a terminal in a sandbox; exits with the exit code of what runs there")
    .usage("[options] <id> [-- <command...>]")
    .argument("<id>", "the sandbox")
    .option("--attach <command>", "look at a terminal that is open already, instead of a new one")
    .option("-e, --env <NAME=value>", "environment variable, repeatable", environmentEntry)
    .option("--cwd <path>", "directory to begin in (default: the sandbox's)")
    .option("-u, --user <user>", "account to run as (default: the sandbox's)");
  return withServer(command, examples).action(async (id: string, options: ShellOptions) => {
    if (!process.stdin.isTTY || !process.stdout.isTTY) {
      command.error("expected a terminal; `runlet exec` needs none");
    }
    const { attach, env = {}, cwd, user } = options;
    const { terminal: terminals } = clientOf(options).sandboxes.of(id);
    const args = command.trailing?.length ? [...command.trailing] : undefined;
    const inherited = { TERM: process.env["TERM"] ?? "xterm-256color" };
    using terminal =
      attach === undefined
        ? await terminals.open({
            ...given({ args, cwd, user }),
            env: { ...inherited, ...env },
            terminal: ownSize(),
          })
        : await terminals.attach(attach);
    if (attach !== undefined) await terminal.resize(ownSize());
    using _screen = new Screen(terminal);
    process.exitCode = await show(terminal);
  });
}

/** Shows what a terminal shows, and answers with the exit code of what ran there. */
async function show(terminal: Terminal): Promise<number> {
  const lost = `Open it again with --attach ${terminal.commandId}`;
  for await (const event of terminal) {
    if (event.type === "output") {
      if (!process.stdout.write(event.body)) await once(process.stdout, "drain");
    } else if (event.type === "dropped") {
      process.stderr.write(`[${size(event.bytes)} of its output are not kept]\r\n`);
    } else if (event.type === "exit") return exitCodeOfCommand(event.command);
    else if (event.type === "gone") throw new Error(`${event.message}. ${lost}`);
  }
  throw new Error(`Cannot go on with the terminal: the server went away. ${lost}`);
}

/** Our own terminal while it stands for one of a sandbox: each key goes there, and so does its size. */
class Screen implements Disposable {
  readonly #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    process.stdin.setRawMode(true);
    process.stdin.on("data", this.#type);
    process.stdout.on("resize", this.#resize);
  }

  [Symbol.dispose](): void {
    process.stdout.off("resize", this.#resize);
    process.stdin.off("data", this.#type);
    process.stdin.setRawMode(false);
    // Whoever goes on reading it keeps us from ending.
    process.stdin.destroy();
  }

  /** Of a terminal that has closed, whoever reads it hears. */
  readonly #type = (typed: Buffer): void => {
    this.#terminal.write(typed).catch(() => undefined);
  };

  readonly #resize = (): void => {
    this.#terminal.resize(ownSize()).catch(() => undefined);
  };
}

function ownSize(): { cols: number; rows: number } {
  const [cols, rows] = process.stdout.getWindowSize();
  return { cols: Math.max(1, Math.min(cols, 1000)), rows: Math.max(1, Math.min(rows, 1000)) };
}
