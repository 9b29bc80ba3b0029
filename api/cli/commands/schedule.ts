import { Command, Option } from "commander";
import type { Client } from "../../client/client.ts";
import type { Schedule, ScheduleDetail, ScheduleSpecInput } from "../../schema/schedule.ts";
import { moment } from "../format.ts";
import {
  clientOf,
  exampleText,
  given,
  type ServerOptions,
  wholeNumber,
  withServer,
} from "../options.ts";
import { printJson, printTable, tellMore } from "../output.ts";

interface SetOptions extends ServerOptions {
  function: string;
  qualifier?: string;
  cron?: string;
  rate?: string;
  timeZone?: string;
  event?: string;
  type?: string;
  missedRuns?: Schedule["missedRuns"];
  provisioned?: number;
}

const missedRuns: readonly Schedule["missedRuns"][] = ["skip", "run-once"];

/** `runlet schedule`. */
export function scheduleCommand(): Command {
  return new Command("schedule")
    .description("invoke functions at set times, or keep containers of them started")
    .addCommand(setCommand())
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(showCommand())
    .addCommand(turnCommand("pause", "let due times pass without a run"))
    .addCommand(turnCommand("resume", "let a paused schedule come due again"))
    .addCommand(runCommand())
    .addCommand(deleteCommand())
    .addHelpText("after", exampleText([...setExamples, "runlet schedule"]));
}

const setExamples = [
  "runlet schedule set nightly --function report --cron '30 2 * * *' --time-zone Europe/Berlin",
  `runlet schedule set beat --function ping --rate '5 minutes' --event '{"deep": true}'`,
  "runlet schedule set morning --function report --cron '0 8 * * *' --provisioned 4",
];

function setCommand(): Command {
  const command: Command = withServer(new Command("set"), setExamples)
    .description("make a schedule, or replace what it says")
    .argument("<name>", "the schedule")
    .requiredOption("--function <name>", "the function to invoke")
    .option("--qualifier <name>", "an alias, or a version other than the latest")
    .option("--cron <expression>", "5 fields, or 6 with seconds first")
    .addOption(new Option("--rate <rate>", "such as '5 minutes'").conflicts("cron"))
    .option("--time-zone <zone>", "IANA time zone that cron is read in (default: UTC)")
    .option("--event <event>", "the event; {} by default")
    .addOption(
      new Option("--provisioned <n>", "no event: how many containers are kept started from then on")
        .argParser(wholeNumber)
        .conflicts(["event", "type", "qualifier"]),
    )
    .option("-t, --type <type>", "media type of the event (default: application/json)")
    .addOption(
      new Option(
        "--missed-runs <what>",
        "for due times that passed while the server was down (default: skip; with --provisioned run-once)",
      ).choices(missedRuns),
    )
    .action(async (name: string, options: SetOptions) => {
      const { cron, rate } = options;
      const expression = cron ?? (rate === undefined ? undefined : `rate(${rate})`);
      if (expression === undefined) command.error("expected --cron or --rate");
      const spec: ScheduleSpecInput = {
        function: options.function,
        expression,
        ...given({
          qualifier: options.qualifier,
          timeZone: options.timeZone,
          contentType: options.type,
          missedRuns: options.missedRuns,
          provisioned: options.provisioned,
        }),
        ...(options.event !== undefined && { event: eventOf(options.event, options.type) }),
      };
      tell(await clientOf(options).putSchedule(name, spec), options);
    });
  return command;

  function eventOf(text: string, type = "application/json"): ScheduleSpecInput["event"] {
    if (!/[/+]json\b/.test(type)) return text;
    try {
      return JSON.parse(text) as ScheduleSpecInput["event"];
    } catch {
      return command.error("expected JSON as --event; --type names what else it is");
    }
  }
}

function listCommand(): Command {
  return withServer(new Command("ls"), ["runlet schedule ls --function report"])
    .description("list schedules (also without a subcommand)")
    .option("--function <name>", "only of this function")
    .option("--limit <n>", "how many, at most 200", wholeNumber, 50)
    .option("--after <name>", "start after this name")
    .action(
      async ({
        url,
        json,
        ...query
      }: ServerOptions & { function?: string; limit: number; after?: string }) => {
        const page = await clientOf({ url }).schedules({ ...query });
        if (json) return printJson(page);
        const header = ["NAME", "FUNCTION", "EXPRESSION", "TIME ZONE", "STATE", "NEXT", "LAST"];
        printTable(header, page.items.map(rowOf), "No such schedules.");
        tellMore("--after", page.next);
      },
    );
}

function rowOf(item: Schedule): string[] {
  const { qualifier, nextAtUs, last } = item;
  return [
    item.name,
    qualifier === undefined ? item.function : `${item.function}:${qualifier}`,
    item.expression,
    item.timeZone,
    item.state,
    nextAtUs[0] === undefined ? "-" : moment(nextAtUs[0]),
    last === undefined ? "-" : `${last.status} ${moment(last.dueAtUs)}`,
  ];
}

function showCommand(): Command {
  return withServer(new Command("show"), ["runlet schedule show nightly"])
    .description("show a schedule as JSON, with its next due times")
    .argument("<name>", "the schedule")
    .action(async (name: string, options: ServerOptions) => {
      printJson(await clientOf(options).getSchedule(name));
    });
}

function turnCommand(verb: keyof typeof turns, description: string): Command {
  return withServer(new Command(verb), [`runlet schedule ${verb} nightly`])
    .description(description)
    .argument("<name>", "the schedule")
    .action(async (name: string, options: ServerOptions) => {
      tell(await turns[verb](clientOf(options), name), options);
    });
}

const turns = {
  pause: async (client: Client, name: string) => await client.pauseSchedule(name),
  resume: async (client: Client, name: string) => await client.resumeSchedule(name),
};

function runCommand(): Command {
  return withServer(new Command("run"), ["runlet schedule run nightly"])
    .description("queue a schedule's event now, beside its due times")
    .argument("<name>", "the schedule")
    .action(async (name: string, options: ServerOptions) => {
      const accepted = await clientOf(options).runSchedule(name);
      if (options.json) printJson(accepted);
      else process.stdout.write(`Schedule ${name}: event ${accepted.eventId}\n`);
    });
}

function deleteCommand(): Command {
  return withServer(new Command("rm"), ["runlet schedule rm nightly"])
    .description("delete a schedule; events that it handed over run")
    .argument("<name>", "the schedule")
    .action(async (name: string, options: ServerOptions) => {
      await clientOf(options).removeSchedule(name);
      if (options.json) printJson({ deleted: name });
      else process.stdout.write(`Deleted ${name}\n`);
    });
}

function tell(schedule: ScheduleDetail, { json }: ServerOptions): void {
  if (json) return printJson(schedule);
  const { name, state, nextAtUs } = schedule;
  const next = nextAtUs.map(moment).join(", ") || "-";
  process.stdout.write(`Schedule ${name}: ${state}; next ${next}\n`);
}
