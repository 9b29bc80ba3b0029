import { Command } from "commander";
import { moment } from "../format.ts";
import { clientOf, exampleText, type ServerOptions, wholeNumber, withServer } from "../options.ts";
import { printJson, printTable, tellMore } from "../output.ts";

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
  return withServer(new Command("ls"), ["runlet functions ls --json"])
    .description("list functions (also without a subcommand)")
    .option("--limit <n>", "how many, at most 200", wholeNumber, 50)
    .option("--after <name>", "start after this name")
    .action(async (options: ServerOptions & { limit: number; after?: string }) => {
      const { limit, after } = options;
      const page = await clientOf(options).functions({ limit, after });
      if (options.json) return printJson(page);
      const rows = page.items.map((fn) => [
        fn.name,
        String(fn.version),
        fn.runtime,
        fn.image,
        moment(fn.createdAtUs),
      ]);
      const header = ["NAME", "VERSION", "RUNTIME", "IMAGE", "DEPLOYED"];
      printTable(header, rows, "No functions yet. Deploy one with: runlet deploy FILE");
      tellMore("--after", page.next);
    });
}

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
  return withServer(new Command("rm"), ["runlet functions rm hello"])
    .description("delete a function with all its versions; its invocations stay on record")
    .argument("<name>", "the function")
    .action(async (name: string, options: ServerOptions) => {
      await clientOf(options).removeFunction(name);
      if (options.json) printJson({ deleted: name });
      else process.stdout.write(`Deleted ${name}\n`);
    });
}
