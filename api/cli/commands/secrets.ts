import { Command } from "commander";
import { moment } from "../format.ts";
import { readInput } from "../input.ts";
import { clientOf, exampleText, type ServerOptions, wholeNumber, withServer } from "../options.ts";
import { printJson, printTable, tellMore } from "../output.ts";

/** `runlet secrets`. */
export function secretsCommand(): Command {
  return new Command("secrets")
    .description("set, list and delete secrets")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(setCommand())
    .addCommand(removeCommand())
    .addHelpText("after", exampleText(['printf %s "$URL" | runlet secrets set database-url']));
}

function listCommand(): Command {
  return withServer(new Command("ls"), ["runlet secrets ls --json"])
    .description("list secrets, without their values (also without a subcommand)")
    .option("--limit <n>", "how many, at most 200", wholeNumber, 50)
    .option("--after <name>", "start after this name")
    .action(async (options: ServerOptions & { limit: number; after?: string }) => {
      const { limit, after } = options;
      const page = await clientOf(options).secrets({ limit, after });
      if (options.json) return printJson(page);
      const rows = page.items.map(({ name, updatedAtUs }) => [name, moment(updatedAtUs)]);
      printTable(["NAME", "SET"], rows, "No secrets yet. Set one with: runlet secrets set NAME");
      tellMore("--after", page.next);
    });
}

function setCommand(): Command {
  const example = 'printf %s "$URL" | runlet secrets set database-url';
  return withServer(new Command("set"), [example])
    .description("set a secret to what standard input or a file holds")
    .argument("<name>", "the secret")
    .option("-f, --file <path>", "read the value from a file", "-")
    .action(async (name: string, options: ServerOptions & { file: string }) => {
      const value = (await readInput(options.file)).toString("utf8");
      await clientOf(options).setSecret(name, value);
      if (options.json) printJson({ set: name });
      else process.stdout.write(`Set ${name}\n`);
    });
}

function removeCommand(): Command {
  return withServer(new Command("rm"), ["runlet secrets rm database-url"])
    .description("delete a secret that no function names")
    .argument("<name>", "the secret")
    .action(async (name: string, options: ServerOptions) => {
      await clientOf(options).removeSecret(name);
      if (options.json) printJson({ deleted: name });
      else process.stdout.write(`Deleted ${name}\n`);
    });
}
