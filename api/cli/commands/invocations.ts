import { Command, Option } from "commander";
import type { Invocation, InvocationQuery } from "../../schema/invocation.ts";
import { duration, endOf, moment } from "../format.ts";
import { clientOf, exampleText, type ServerOptions, wholeNumber, withServer } from "../options.ts";
import { printJson, printTable, tellMore } from "../output.ts";

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
    .addCommand(showCommand())
    .addCommand(cancelCommand())
    .addHelpText(
      "after",
      exampleText(["runlet invocations --function hello", "runlet invocations --status failed"]),
    );
}

function listCommand(): Command {
  return withServer(new Command("ls"), ["runlet invocations ls --function hello --limit 5"])
    .description("list invocations, newest first (also without a subcommand)")
    .option("--function <name>", "only of this function")
    .option("--qualifier <name>", "only where the caller named this alias or version")
    .addOption(new Option("--status <status>", "only with this status").choices(statuses))
    .addOption(new Option("--reason <reason>", "only with this exit reason").choices(reasons))
    .addOption(new Option("--kind <kind>", "only of functions, or only of `run`").choices(kinds))
    .option("--since <time>", "only since this time: ISO 8601, or milliseconds since the epoch")
    .option("--until <time>", "only before this time")
    .option("--min-duration-ms <n>", "only runs that took so long or longer", wholeNumber)
    .option("--trace-id <id>", "only of this trace")
    .option("--limit <n>", "how many, at most 200", wholeNumber, 20)
    .option("--before <id>", "start before this invocation")
    .action(async ({ url, json, ...query }: ListOptions) => {
      const page = await clientOf({ url }).invocations({ ...query });
      if (json) return printJson(page);
      const header = ["ID", "FUNCTION", "STATUS", "START", "END", "QUEUED", "RUN"];
      const none = page.next === undefined ? "No such invocations." : "None among the newest.";
      printTable(header, page.items.map(rowOf), none);
      tellMore("--before", page.next);
    });
}

function rowOf(item: Invocation): string[] {
  return [
    item.id,
    item.functionName === undefined
      ? `(${item.runtime})`
      : [item.functionName, item.functionVersion].filter((part) => part !== undefined).join(":"),
    item.status,
    item.start ?? "-",
    endOf(item),
    moment(item.queuedAtUs),
    duration(item.runUs),
  ];
}

function showCommand(): Command {
  return withServer(new Command("show"), ["runlet invocations show ID"])
    .description("show one invocation's record as JSON")
    .argument("<id>", "the invocation")
    .action(async (id: string, options: ServerOptions) => {
      printJson(await clientOf(options).invocation(id));
    });
}

function cancelCommand(): Command {
  return withServer(new Command("cancel"), ["runlet invocations cancel ID"])
    .description("cancel a running invocation")
    .argument("<id>", "the invocation")
    .action(async (id: string, options: ServerOptions) => {
      const record = await clientOf(options).cancel(id);
      if (options.json) printJson(record);
      else process.stdout.write(`Invocation ${id}: ${record.status} (${endOf(record)})\n`);
    });
}
