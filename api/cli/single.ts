import { Command } from "commander";
import type { Client } from "../client/client.ts";
import type { ChangeOptions } from "../client/condition.ts";
import { clientOf, type ServerOptions, withServer } from "./options.ts";
import { printDone, printJson } from "./output.ts";

/** What a command about one thing says of itself. */
interface About {
  description: string;
  example: string;
  /** What names the thing: each argument with what it is. */
  takes: Readonly<Record<string, string>>;
}

interface Showing extends About {
  show: (client: Client, name: string) => Promise<unknown>;
}

interface Removal extends About {
  remove: (client: Client, change: ChangeOptions, ...names: string[]) => Promise<void>;
}

/** A command that prints one thing as JSON. */
export function showCommand({ show, ...about }: Showing): Command {
  const command: Command = withAbout("show", about).action(async () => {
    const [name = ""] = command.args;
    printJson(await show(clientOf(command.opts<ServerOptions>()), name));
  });
  return command;
}

/** A command that deletes one thing. */
export function removalCommand({ remove, ...about }: Removal): Command {
  const command: Command = withAbout("rm", about).action(async () => {
    const { ifMatch, ...options } = command.opts<ServerOptions & ChangeOptions>();
    await remove(clientOf(options), { ifMatch }, ...command.args);
    const deleted = command.args.join(":");
    printDone(options, { deleted }, `Deleted ${deleted}`);
  });
  return command;
}

/** Gives a command that changes something the revision at which alone it does so. */
export function withRevision<T extends Command>(command: T): T {
  return command.option("--if-match <revision>", "only if this is still its revisionId");
}

function withAbout(verb: string, { description, example, takes }: About): Command {
  const command = withServer(new Command(verb), [example]).description(description);
  for (const [name, what] of Object.entries(takes)) command.argument(`<${name}>`, what);
  return command;
}
