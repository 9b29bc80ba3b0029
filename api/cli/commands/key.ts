import { Command, Option } from "commander";
import type { PageBefore } from "../../client/methods.ts";
import type { Key, Scope } from "../../schema/key.ts";
import { moment } from "../format.ts";
import {
  byteCount,
  clientOf,
  exampleText,
  given,
  positiveNumber,
  type ServerOptions,
  wholeNumber,
  withServer,
} from "../options.ts";
import { type Columns, printDone, printJson } from "../output.ts";
import { printPage, queryOf, withPageBefore } from "../page.ts";
import { showCommand } from "../single.ts";

const createExamples = [
  "runlet key create ci --scope deploy --expires-in-days 90",
  "RUNLET_API_KEY=$(runlet key create app --scope invoke) runlet invoke hello",
];

/** `runlet key`. */
export function keyCommand(): Command {
  return new Command("key")
    .description("make, list, show and revoke keys of the API")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(createCommand())
    .addCommand(showKeyCommand())
    .addCommand(revokeCommand())
    .addHelpText("after", exampleText(createExamples));
}

interface CreateOptions extends ServerOptions {
  scope: Scope[];
  expiresInDays?: number;
  maxSandboxes?: number;
  maxSandboxMemoryBytes?: number;
  rate?: number;
  burst?: number;
}

function createCommand(): Command {
  const scope = new Option("--scope <scopes...>", "what it is good for")
    .choices(["invoke", "deploy", "sandbox", "metrics", "admin"])
    .makeOptionMandatory();
  return withServer(new Command("create"), createExamples)
    .description("make a key and print it, this once")
    .argument("<name>", "who or what it is for")
    .addOption(scope)
    .option("--expires-in-days <n>", "after how many days it is good for nothing", positiveNumber)
    .option("--max-sandboxes <n>", "how many sandboxes it may have open", wholeNumber)
    .option("--max-sandbox-memory-bytes <size>", "memory that these may be allowed", byteCount)
    .option("--rate <n>", "requests a second on average", positiveNumber)
    .option("--burst <n>", "requests at once after a pause, with --rate", wholeNumber)
    .action(async (name: string, options: CreateOptions) => {
      const { scope: scopes, expiresInDays, maxSandboxes, maxSandboxMemoryBytes, rate } = options;
      const { burst } = options;
      if (burst !== undefined && rate === undefined) throw new Error("--burst goes with --rate");
      const requestRate = rate === undefined ? undefined : { perSecond: rate, ...given({ burst }) };
      const limits = given({ maxSandboxes, maxSandboxMemoryBytes, requestRate });
      const expiresInMs =
        expiresInDays === undefined ? undefined : Math.round(expiresInDays * 86_400_000);
      const client = clientOf(options);
      const made = await client.createKey({ name, scopes, limits, ...given({ expiresInMs }) });
      if (options.json) return printJson(made);
      process.stdout.write(`${made.key}\n`);
      process.stderr.write(`Key ${made.id} of ${name}: keep it, it is not shown again\n`);
    });
}

function listCommand(): Command {
  return withPageBefore(withServer(new Command("ls"), ["runlet key ls --json"]), "key")
    .description("list keys from the newest (also without a subcommand)")
    .action(async (options: ServerOptions & PageBefore & { before?: string }) => {
      const page = await clientOf(options).keys(queryOf(options));
      const none = "No keys yet. Make one with: runlet key create NAME --scope SCOPE";
      printPage(page, options, { columns, none, cursor: "--before" });
    });
}

const columns: Columns<Key> = {
  ID: ({ id }) => id,
  NAME: ({ name }) => name,
  SCOPES: ({ scopes }) => scopes.join(","),
  MADE: ({ createdAtUs }) => moment(createdAtUs),
  USED: ({ lastUsedAtUs }) => (lastUsedAtUs === undefined ? "-" : moment(lastUsedAtUs)),
  END: ({ revokedAtUs, expiresAtUs }) => {
    if (revokedAtUs !== undefined) return `revoked ${moment(revokedAtUs)}`;
    return expiresAtUs === undefined ? "-" : moment(expiresAtUs);
  },
};

function showKeyCommand(): Command {
  return showCommand({
    description: "show what a key is good for and when it was used last",
    example: "runlet key show 019a3c1e6f2b4d5e6f70",
    takes: { id: "the key's id" },
    show: async (client, id) => await client.key(id),
  });
}

function revokeCommand(): Command {
  return withServer(new Command("revoke"), ["runlet key revoke 019a3c1e6f2b4d5e6f70"])
    .description("have a key be refused from now on")
    .argument("<id>", "the key's id")
    .action(async (id: string, options: ServerOptions) => {
      await clientOf(options).revokeKey(id);
      printDone(options, { revoked: id }, `Revoked ${id}`);
    });
}
