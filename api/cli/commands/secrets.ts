import { Command } from "commander";
import type { PageAfter } from "../../client/methods.ts";
import type { Secret } from "../../schema/secret.ts";
import { moment } from "../format.ts";
import { readInput } from "../input.ts";
import { clientOf, exampleText, type ServerOptions, withServer } from "../options.ts";
import { type Columns, printDone } from "../output.ts";
import { printPage, queryOf, withPageAfter } from "../page.ts";
import { removalCommand } from "../single.ts";

const setExample = 'printf %s "$URL" | runlet secrets set database-url';

/** `runlet secrets`. */
export function secretsCommand(): Command {
  return new Command("secrets")
    .description("set, list and delete secrets")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(setCommand())
    .addCommand(removeCommand())
    .addHelpText("after", exampleText([setExample]));
}

function listCommand(): Command {
  return withPageAfter(withServer(new Command("ls"), ["runlet secrets ls --json"]))
    .description("list secrets, without their values (also without a subcommand)")
    .action(async (options: ServerOptions & PageAfter) => {
      const page = await clientOf(options).secrets(queryOf(options));
      const none = "No secrets yet. Set one with: runlet secrets set NAME";
      printPage(page, options, { columns, none, cursor: "--after" });
    });
}

const columns: Columns<Secret> = {
  NAME: ({ name }) => name,
  SET: ({ updatedAtUs }) => moment(updatedAtUs),
};

function setCommand(): Command {
  return withServer(new Command("set"), [setExample])
    .description("set a secret to what standard input or a file holds")
    .argument("<name>", "the secret")
    .option("-f, --file <path>", "read the value from a file", "-")
    .action(async (name: string, options: ServerOptions & { file: string }) => {
      const value = (await readInput(options.file)).toString("utf8");
      await clientOf(options).setSecret(name, value);
      printDone(options, { set: name }, `Set ${name}`);
    });
}

function removeCommand(): Command {
  return removalCommand({
    description: "delete a secret that no function names",
    example: "runlet secrets rm database-url",
    takes: { name: "the secret" },
    remove: async (client, _change, name) => await client.removeSecret(name),
  });
}
