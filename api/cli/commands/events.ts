import { Command, Option } from "commander";
import type { Event, EventQuery } from "../../schema/event.ts";
import { moment } from "../format.ts";
import { clientOf, exampleText, type ServerOptions, withServer } from "../options.ts";
import { type Columns, printDone } from "../output.ts";
import { printPage, queryOf, withPageBefore } from "../page.ts";
import { showCommand } from "../single.ts";

const states: readonly Event["state"][] = ["queued", "running", "succeeded", "dead"];

/** `runlet events`. */
export function eventsCommand(): Command {
  return new Command("events")
    .description("list, show and cancel events that were queued with `invoke --async`")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(showOneCommand())
    .addCommand(cancelCommand())
    .addHelpText("after", exampleText(["runlet events --function hello", "runlet events show ID"]));
}

/** The columns that events are listed in. */
export const eventColumns: Columns<Event> = {
  ID: ({ id }) => id,
  FUNCTION: ({ functionName }) => functionName,
  KIND: ({ kind }) => kind,
  STATE: ({ state }) => state,
  ATTEMPTS: ({ attempts }) => String(attempts),
  ACCEPTED: ({ acceptedAtUs }) => moment(acceptedAtUs),
  ERROR: ({ error }) => error?.code ?? "-",
};

function listCommand(): Command {
  const command = withServer(new Command("ls"), ["runlet events ls --state queued --limit 5"])
    .description("list events, newest first (also without a subcommand)")
    .option("--function <name>", "only of this function")
    .addOption(new Option("--state <state>", "only in this state").choices(states));
  return withPageBefore(command, "event").action(async (options: ServerOptions & EventQuery) => {
    const page = await clientOf(options).events(queryOf(options));
    const none = "No such events.";
    printPage(page, options, { columns: eventColumns, none, cursor: "--before" });
  });
}

function showOneCommand(): Command {
  return showCommand({
    description: "show one event with its invocations as JSON",
    example: "runlet events show ID",
    takes: { id: "the event" },
    show: async (client, id) => await client.event(id),
  });
}

function cancelCommand(): Command {
  return withServer(new Command("cancel"), ["runlet events cancel ID"])
    .description("remove an event that waits")
    .argument("<id>", "the event")
    .action(async (id: string, options: ServerOptions) => {
      await clientOf(options).cancelEvent(id);
      printDone(options, { cancelled: id }, `Cancelled event ${id}`);
    });
}
