import { Command } from "commander";
import { clientOf, exampleText, type ServerOptions, wholeNumber, withServer } from "../options.ts";
import { printJson, tellMore } from "../output.ts";
import { printEvents } from "./events.ts";

interface ListOptions extends ServerOptions {
  function?: string;
  limit: number;
  before?: string;
}

type ChoiceOptions = ServerOptions & { function?: string };

/** `runlet dead-letters`. */
export function deadLettersCommand(): Command {
  return new Command("dead-letters")
    .description("list, show, redrive and purge events that were given up")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(showCommand())
    .addCommand(redriveCommand())
    .addCommand(purgeCommand())
    .addHelpText(
      "after",
      exampleText(["runlet dead-letters", "runlet dead-letters redrive --function hello"]),
    );
}

function listCommand(): Command {
  return withServer(new Command("ls"), ["runlet dead-letters ls --function hello"])
    .description("list events that were given up, newest first (also without a subcommand)")
    .option("--function <name>", "only of this function")
    .option("--limit <n>", "how many, at most 200", wholeNumber, 20)
    .option("--before <id>", "start before this event")
    .action(async ({ url, json, ...query }: ListOptions) => {
      const page = await clientOf({ url }).deadLetters({ ...query });
      if (json) return printJson(page);
      printEvents(page.items, "No dead letters.");
      tellMore("--before", page.next);
    });
}

function showCommand(): Command {
  return withServer(new Command("show"), ["runlet dead-letters show ID"])
    .description("show one with its body and its last error as JSON")
    .argument("<id>", "the event")
    .action(async (id: string, options: ServerOptions) => {
      printJson(await clientOf(options).deadLetter(id));
    });
}

function redriveCommand(): Command {
  const command: Command = withServer(new Command("redrive"), [
    "runlet dead-letters redrive ID",
    "runlet dead-letters redrive --function hello",
  ])
    .description("queue one anew, or all of a function")
    .argument("[id]", "the event")
    .option("--function <name>", "all of this function")
    .action(async (id: string | undefined, options: ChoiceOptions) => {
      const chosen = choiceOf(command, id, options);
      const client = clientOf(options);
      const count = await ("id" in chosen
        ? client.redrive(chosen.id).then(() => 1)
        : client.redriveAll(chosen.name).then((answer) => answer.count));
      if (options.json) printJson({ count });
      else process.stdout.write(`Queued ${count} anew\n`);
    });
  return command;
}

function purgeCommand(): Command {
  const command: Command = withServer(new Command("purge"), [
    "runlet dead-letters purge ID",
    "runlet dead-letters purge --function hello",
  ])
    .description("remove one, or all of a function")
    .argument("[id]", "the event")
    .option("--function <name>", "all of this function")
    .action(async (id: string | undefined, options: ChoiceOptions) => {
      const chosen = choiceOf(command, id, options);
      const client = clientOf(options);
      const count = await ("id" in chosen
        ? client.removeDeadLetter(chosen.id).then(() => 1)
        : client.purgeDeadLetters(chosen.name).then((answer) => answer.count));
      if (options.json) printJson({ count });
      else process.stdout.write(`Removed ${count}\n`);
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
