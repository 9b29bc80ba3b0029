import { Command } from "commander";
import type { PageAfter } from "../../client/methods.ts";
import type { FunctionVersion } from "../../schema/function.ts";
import { moment } from "../format.ts";
import { clientOf, exampleText, type ServerOptions, wholeNumber, withServer } from "../options.ts";
import { type Columns, printJson } from "../output.ts";
import { printPage, queryOf, withPageAfter } from "../page.ts";
import { removalCommand, withRevision } from "../single.ts";

/** `runlet functions`. */
export function functionsCommand(): Command {
  return new Command("functions")
    .description("list, show and delete functions")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(showCommand())
    .addCommand(removeCommand())
    .addHelpText("after", exampleText(["runlet functions", "runlet functions show hello"]));
}

function listCommand(): Command {
  return withPageAfter(withServer(new Command("ls"), ["runlet functions ls --json"]))
    .description("list functions (also without a subcommand)")
    .action(async (options: ServerOptions & PageAfter) => {
      const page = await clientOf(options).functions(queryOf(options));
      const none = "No functions yet. Deploy one with: runlet deploy FILE";
      printPage(page, options, { columns, none, cursor: "--after" });
    });
}

const columns: Columns<FunctionVersion> = {
  NAME: ({ name }) => name,
  VERSION: ({ version }) => String(version),
  RUNTIME: ({ runtime }) => runtime,
  IMAGE: ({ image }) => image,
  DEPLOYED: ({ createdAtUs }) => moment(createdAtUs),
};

function showCommand(): Command {
  return withServer(new Command("show"), ["runlet functions show hello --version 1"])
    .description("show a function as JSON")
    .argument("<name>", "the function")
    .option("--version <n>", "a version other than the latest", wholeNumber)
    .action(async (name: string, options: ServerOptions & { version?: number }) => {
      printJson(await clientOf(options).getFunction(name, options.version));
    });
}

function removeCommand(): Command {
  const command = removalCommand({
    description: "delete a function with all its versions; its invocations stay on record",
    example: "runlet functions rm hello",
    takes: { name: "the function" },
    remove: async (client, change, name) => await client.removeFunction(name, change),
  });
  return withRevision(command);
}
