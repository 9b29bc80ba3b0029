import { Command, Option } from "commander";
import type { Event } from "../../schema/event.ts";
import { moment } from "../format.ts";
import { clientOf, exampleText, type ServerOptions, wholeNumber, withServer } from "../options.ts";
import { printJson, printTable, tellMore } from "../output.ts";

interface ListOptions extends ServerOptions {
  function?: string;
  state?: Event["state"];
  limit: number;
  before?: string;
}

const states: readonly Event["state"][] = ["queued", "running", "succeeded", "dead"];

/** `runlet events`. */
export function eventsCommand(): Command {
  return new Command("events")
    .description("list, show and cancel events that were queued with `invoke --async`")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(showCommand())
    .addCommand(cancelCommand())
    .addHelpText("after", exampleText(["runlet events --function hello", "runlet events show ID"]));
}

/** Prints events in columns. */
export function printEvents(items: readonly Event[], none: string): void {
  const header = ["ID", "FUNCTION", "KIND", "STATE", "ATTEMPTS", "ACCEPTED", "ERROR"];
  const rows = items.map((event) => [
    event.id,
    event.functionName,
    event.kind,
    event.state,
    String(event.attempts),
    moment(event.acceptedAtUs),
    event.error?.code ?? "-",
  ]);
  printTable(header, rows, none);
}

function listCommand(): Command {
  return withServer(new Command("ls"), ["runlet events ls --state queued --limit 5"])
    .description("list events, newest first (also without a subcommand)")
    .option("--function <name>", "only of this function")
    .addOption(new Option("--state <state>", "only in this state").choices(states))
    .option("--limit <n>", "how many, at most 200", wholeNumber, 20)
    .option("--before <id>", "start before this event")
    .action(async ({ url, json, ...query }: ListOptions) => {
      const page = await clientOf({ url }).events({ ...query });
      if (json) return printJson(page);
      printEvents(page.items, "No such events.");
      tellMore("--before", page.next);
    });
}

function showCommand(): Command {
  return withServer(new Command("show"), ["runlet events show ID"])
    .description("show one event with its invocations as JSON")
    .argument("<id>", "the event")
    .action(async (id: string, options: ServerOptions) => {
      printJson(await clientOf(options).event(id));
    });
}

function cancelCommand(): Command {
  return withServer(new Command("cancel"), ["runlet events cancel ID"])
    .description("remove an event that waits")
    .argument("<id>", "the event")
    .action(async (id: string, options: ServerOptions) => {
      await clientOf(options).cancelEvent(id);
      if (options.json) printJson({ cancelled: id });
      else process.stdout.write(`Cancelled event ${id}\n`);
    });
}
