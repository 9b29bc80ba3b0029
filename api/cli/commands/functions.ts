import { Command } from "commander";
import type { ChangeOptions } from "../../client/condition.ts";
import type { PageAfter } from "../../client/methods.ts";
import type { FunctionVersion } from "../../schema/function.ts";
import { moment } from "../format.ts";
import { clientOf, exampleText, type ServerOptions, wholeNumber, withServer } from "../options.ts";
import { type Columns, printDone, printJson } from "../output.ts";
import { printPage, queryOf, withPageAfter } from "../page.ts";
import { withRevision } from "../single.ts";

interface RemoveOptions extends ServerOptions, ChangeOptions {
  version?: number;
}

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
  const command = withServer(new Command("rm"), [
    "runlet functions rm hello",
    "runlet functions rm hello --version 1",
  ])
    .description("delete a function with all its versions, or one; its invocations stay on record")
    .argument("<name>", "the function")
    .option("--version <n>", "only this version, which is not the latest", wholeNumber)
    .action(async (name: string, { ifMatch, version, ...options }: RemoveOptions) => {
      const client = clientOf(options);
      if (version === undefined) await client.removeFunction(name, { ifMatch });
      else if (ifMatch === undefined) await client.removeVersion(name, version);
      else command.error("expected --version or --if-match: a version never changes");
      const deleted = version === undefined ? name : `${name}:${version}`;
      printDone(options, { deleted }, `Deleted ${deleted}`);
    });
  return withRevision(command);
}
