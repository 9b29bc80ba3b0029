import { Command, Option } from "commander";
import type { Invocation, InvocationQuery } from "../../schema/invocation.ts";
import { duration, endOf, moment } from "../format.ts";
import { clientOf, exampleText, type ServerOptions, wholeNumber, withServer } from "../options.ts";
import { type Columns, printDone } from "../output.ts";
import { printPage, queryOf, withPageBefore } from "../page.ts";
import { showCommand } from "../single.ts";

type ListOptions = ServerOptions & InvocationQuery;

const statuses: readonly Invocation["status"][] = [
  "queued",
  "running",
  "succeeded",
  "failed",
  "timed_out",
  "cancelled",
  "lost",
];

const reasons: readonly NonNullable<Invocation["exitReason"]>[] = [
  "exited",
  "signaled",
  "timeout",
  "oom",
  "cancelled",
  "lost",
  "failed",
];

const kinds: readonly Invocation["kind"][] = ["invoke", "execute", "build"];

/** `runlet invocations`. */
export function invocationsCommand(): Command {
  return new Command("invocations")
    .description("list, show and cancel invocations")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(showOneCommand())
    .addCommand(cancelCommand())
    .addHelpText(
      "after",
      exampleText(["runlet invocations --function hello", "runlet invocations --status failed"]),
    );
}

function listCommand(): Command {
  const command = withServer(new Command("ls"), [
    "runlet invocations ls --function hello --limit 5",
  ])
    .description("list invocations, newest first (also without a subcommand)")
    .option("--function <name>", "only of this function")
    .option("--qualifier <name>", "only where the caller named this alias or version")
    .addOption(new Option("--status <status>", "only with this status").choices(statuses))
    .addOption(new Option("--reason <reason>", "only with this exit reason").choices(reasons))
    .addOption(new Option("--kind <kind>", "only of functions, or only of `run`").choices(kinds))
    .option("--since <time>", "only since this time: ISO 8601, or milliseconds since the epoch")
    .option("--until <time>", "only before this time")
    .option("--min-duration-ms <n>", "only runs that took so long or longer", wholeNumber)
    .option("--trace-id <id>", "only of this trace");
  return withPageBefore(command, "invocation").action(async (options: ListOptions) => {
    const page = await clientOf(options).invocations(queryOf(options));
    const none = page.next === undefined ? "No such invocations." : "None among the newest.";
    printPage(page, options, { columns, none, cursor: "--before" });
  });
}

const columns: Columns<Invocation> = {
  ID: ({ id }) => id,
  FUNCTION: ({ functionName, functionVersion, runtime }) =>
    functionName === undefined
      ? `(${runtime})`
      : [functionName, functionVersion].filter((part) => part !== undefined).join(":"),
  STATUS: ({ status }) => status,
  START: ({ start }) => start ?? "-",
  END: endOf,
  QUEUED: ({ queuedAtUs }) => moment(queuedAtUs),
  RUN: ({ runUs }) => duration(runUs),
};

function showOneCommand(): Command {
  return showCommand({
    description: "show one invocation's record as JSON",
    example: "runlet invocations show ID",
    takes: { id: "the invocation" },
    show: async (client, id) => await client.invocation(id),
  });
}

function cancelCommand(): Command {
  return withServer(new Command("cancel"), ["runlet invocations cancel ID"])
    .description("cancel a running invocation")
    .argument("<id>", "the invocation")
    .action(async (id: string, options: ServerOptions) => {
      const record = await clientOf(options).cancel(id);
      printDone(options, record, `Invocation ${id}: ${record.status} (${endOf(record)})`);
    });
}
