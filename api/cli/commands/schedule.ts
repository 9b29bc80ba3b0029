import { Command, Option } from "commander";
import type { Client } from "../../client/client.ts";
import type {
  Schedule,
  ScheduleDetail,
  ScheduleQuery,
  ScheduleSpecInput,
} from "../../schema/schedule.ts";
import { moment } from "../format.ts";
import {
  clientOf,
  exampleText,
  given,
  type ServerOptions,
  wholeNumber,
  withServer,
} from "../options.ts";
import { type Columns, printDone } from "../output.ts";
import { printPage, queryOf, withPageAfter } from "../page.ts";
import { removalCommand, showCommand, withRevision } from "../single.ts";

interface SetOptions extends ServerOptions {
  ifMatch?: string;
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
    .addCommand(showOneCommand())
    .addCommand(turnCommand("pause", "let due times pass without a run"))
    .addCommand(turnCommand("resume", "let a paused schedule come due again"))
    .addCommand(runCommand())
    .addCommand(removeCommand())
    .addHelpText("after", exampleText([...setExamples, "runlet schedule"]));
}

const setExamples = [
  "runlet schedule set nightly --function report --cron '30 2 * * *' --time-zone Europe/Berlin",
  `runlet schedule set beat --function ping --rate '5 minutes' --event '{"deep": true}'`,
  "runlet schedule set morning --function report --cron '0 8 * * *' --provisioned 4",
];

function setCommand(): Command {
  const command: Command = withRevision(withServer(new Command("set"), setExamples))
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
      const { cron, rate, ifMatch } = options;
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
      tell(await clientOf(options).putSchedule(name, spec, { ifMatch }), options);
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
  const command = withServer(new Command("ls"), ["runlet schedule ls --function report"])
    .description("list schedules (also without a subcommand)")
    .option("--function <name>", "only of this function");
  return withPageAfter(command).action(async (options: ServerOptions & ScheduleQuery) => {
    const page = await clientOf(options).schedules(queryOf(options));
    printPage(page, options, { columns, none: "No such schedules.", cursor: "--after" });
  });
}

const columns: Columns<Schedule> = {
  NAME: ({ name }) => name,
  FUNCTION: ({ function: name, qualifier }) =>
    qualifier === undefined ? name : `${name}:${qualifier}`,
  EXPRESSION: ({ expression }) => expression,
  "TIME ZONE": ({ timeZone }) => timeZone,
  STATE: ({ state }) => state,
  NEXT: ({ nextAtUs: [next] }) => (next === undefined ? "-" : moment(next)),
  LAST: ({ last }) => (last === undefined ? "-" : `${last.status} ${moment(last.dueAtUs)}`),
};

function showOneCommand(): Command {
  return showCommand({
    description: "show a schedule as JSON, with its next due times",
    example: "runlet schedule show nightly",
    takes: { name: "the schedule" },
    show: async (client, name) => await client.getSchedule(name),
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
      printDone(options, accepted, `Schedule ${name}: event ${accepted.eventId}`);
    });
}

function removeCommand(): Command {
  const command = removalCommand({
    description: "delete a schedule; events that it handed over run",
    example: "runlet schedule rm nightly",
    takes: { name: "the schedule" },
    remove: async (client, change, name) => await client.removeSchedule(name, change),
  });
  return withRevision(command);
}

function tell(schedule: ScheduleDetail, options: ServerOptions): void {
  const { name, state, nextAtUs } = schedule;
  const next = nextAtUs.map(moment).join(", ") || "-";
  printDone(options, schedule, `Schedule ${name}: ${state}; next ${next}`);
}
