import { Command } from "commander";
import { clientOf, exampleText, type ServerOptions, withServer } from "../options.ts";
import { printDone } from "../output.ts";
import { removalCommand, showCommand } from "../single.ts";
import { killCommand, logsCommand, psCommand } from "./sandbox-commands.ts";
import { forkCommand, saveCommand } from "./sandbox-copies.ts";
import { createCommand, updateCommand } from "./sandbox-create.ts";
import { sandboxEventsCommand } from "./sandbox-events.ts";
import { listCommand, statsCommand } from "./sandbox-list.ts";

const takes = { id: "the sandbox" };

/** `runlet sandbox`. */
export function sandboxCommand(): Command {
  return new Command("sandbox")
    .alias("sandboxes")
    .description("containers that stay open")
    .addCommand(createCommand())
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(
      showCommand({
        description: "show a sandbox as JSON",
        example: "runlet sandbox show ID",
        takes,
        show: async (client, id) => await client.getSandbox(id),
      }),
    )
    .addCommand(statsCommand())
    .addCommand(updateCommand())
    .addCommand(pauseCommand())
    .addCommand(resumeCommand())
    .addCommand(sandboxEventsCommand())
    .addCommand(psCommand())
    .addCommand(logsCommand())
    .addCommand(killCommand())
    .addCommand(saveCommand())
    .addCommand(forkCommand())
    .addCommand(
      removalCommand({
        description: "end a sandbox with all that runs in it",
        example: "runlet sandbox rm ID",
        takes,
        remove: async (client, _change, id) => await client.removeSandbox(id),
      }),
    )
    .addHelpText(
      "after",
      exampleText(["runlet sandbox create", "runlet sandbox", "runlet sandbox fork ID -n 3"]),
    );
}

function pauseCommand(): Command {
  return withServer(new Command("pause"), ["runlet sandbox pause ID"])
    .description("stop a sandbox's processor time; all that it holds stays")
    .argument("<id>", takes.id)
    .action(async (id: string, options: ServerOptions) => {
      printDone(options, await clientOf(options).pauseSandbox(id), `Paused ${id}`);
    });
}

function resumeCommand(): Command {
  return withServer(new Command("resume"), ["runlet sandbox resume ID"])
    .description("let a paused sandbox go on")
    .argument("<id>", takes.id)
    .action(async (id: string, options: ServerOptions) => {
      printDone(options, await clientOf(options).resumeSandbox(id), `Resumed ${id}`);
    });
}
