import { Command } from "commander";
import type { Client } from "../../client/client.ts";
import type { DeadLetterQuery } from "../../schema/event.ts";
import { clientOf, exampleText, type ServerOptions, withServer } from "../options.ts";
import { printDone } from "../output.ts";
import { printPage, queryOf, withPageBefore } from "../page.ts";
import { showCommand } from "../single.ts";
import { eventColumns } from "./events.ts";

type ChoiceOptions = ServerOptions & { function?: string };

/** `runlet dead-letters`. */
export function deadLettersCommand(): Command {
  return new Command("dead-letters")
    .description("list, show, redrive and purge events that were given up")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(showOneCommand())
    .addCommand(redriveCommand())
    .addCommand(purgeCommand())
    .addHelpText(
      "after",
      exampleText(["runlet dead-letters", "runlet dead-letters redrive --function hello"]),
    );
}

function listCommand(): Command {
  const command = withServer(new Command("ls"), ["runlet dead-letters ls --function hello"])
    .description("list events that were given up, newest first (also without a subcommand)")
    .option("--function <name>", "only of this function");
  return withPageBefore(command, "event").action(
    async (options: ServerOptions & DeadLetterQuery) => {
      const page = await clientOf(options).deadLetters(queryOf(options));
      const none = "No dead letters.";
      printPage(page, options, { columns: eventColumns, none, cursor: "--before" });
    },
  );
}

function showOneCommand(): Command {
  return showCommand({
    description: "show one with its body and its last error as JSON",
    example: "runlet dead-letters show ID",
    takes: { id: "the event" },
    show: async (client, id) => await client.deadLetter(id),
  });
}

function redriveCommand(): Command {
  return choosingCommand("redrive", {
    description: "queue one anew, or all of a function",
    one: async (client, id) => await client.redrive(id),
    all: async (client, name) => await client.redriveAll(name),
    told: (count) => `Queued ${count} anew`,
  });
}

function purgeCommand(): Command {
  return choosingCommand("purge", {
    description: "remove one, or all of a function",
    one: async (client, id) => await client.removeDeadLetter(id),
    all: async (client, name) => await client.purgeDeadLetters(name),
    told: (count) => `Removed ${count}`,
  });
}

interface Choosing {
  description: string;
  one: (client: Client, id: string) => Promise<unknown>;
  all: (client: Client, functionName: string) => Promise<{ count: number }>;
  told: (count: number) => string;
}

/** A command that does the same to one dead letter, or to all of a function. */
function choosingCommand(verb: string, { description, one, all, told }: Choosing): Command {
  const examples = [
    `runlet dead-letters ${verb} ID`,
    `runlet dead-letters ${verb} --function hello`,
  ];
  const command: Command = withServer(new Command(verb), examples)
    .description(description)
    .argument("[id]", "the event")
    .option("--function <name>", "all of this function")
    .action(async (id: string | undefined, options: ChoiceOptions) => {
      const chosen = choiceOf(command, id, options);
      const client = clientOf(options);
      const count =
        "id" in chosen
          ? await one(client, chosen.id).then(() => 1)
          : (await all(client, chosen.name)).count;
      printDone(options, { count }, told(count));
    });
  return command;
}

function choiceOf(
  command: Command,
  id: string | undefined,
  { function: name }: ChoiceOptions,
): { id: string } | { name: string } {
  if (id !== undefined && name === undefined) return { id };
  if (id === undefined && name !== undefined) return { name };
  return command.error("expected either an event or --function");
}
