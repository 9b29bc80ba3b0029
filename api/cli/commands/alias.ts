import { Command } from "commander";
import type { PageAfter } from "../../client/methods.ts";
import { ApiError } from "../../client/errors.ts";
import type { Alias } from "../../schema/alias.ts";
import { moment } from "../format.ts";
import {
  clientOf,
  exampleText,
  share,
  type ServerOptions,
  wholeNumber,
  withServer,
} from "../options.ts";
import { type Columns, printDone } from "../output.ts";
import { printPage, queryOf, withPageAfter } from "../page.ts";
import { removalCommand, withRevision } from "../single.ts";

/** `runlet alias`. */
export function aliasCommand(): Command {
  return new Command("alias")
    .description("name versions of a function, and send calls from one to the next")
    .addCommand(setCommand())
    .addCommand(listCommand())
    .addCommand(removeCommand())
    .addHelpText("after", exampleText(setExamples));
}

const setExamples = [
  "runlet alias set hello live 3",
  "runlet alias set hello live 4 --weight 0.1",
  "runlet alias ls hello",
];

interface SetOptions extends ServerOptions {
  weight?: number;
  description?: string;
}

function setCommand(): Command {
  return withServer(new Command("set"), setExamples)
    .description("send the calls of an alias to a version, or with --weight a share of them")
    .argument("<name>", "the function")
    .argument("<alias>", "the alias; made if there is none")
    .argument("<version>", "the version's number", wholeNumber)
    .option("--weight <share>", "from 0 to 1; the rest stays where the alias sends it", share)
    .option("--description <text>", "what it is for (default: as it is)")
    .action(async (name: string, alias: string, version: number, options: SetOptions) => {
      const { weight } = options;
      const client = clientOf(options);
      const present = await client.getAlias(name, alias).catch((error: unknown) => {
        if (weight === undefined && isMissing(error)) return undefined;
        throw error;
      });
      const description = options.description ?? present?.description ?? "";
      const target =
        weight === undefined || present === undefined
          ? { version }
          : { version: present.version, second: { version, weight } };
      const change = present === undefined ? { isNew: true } : { ifMatch: present.revisionId };
      const set = await client.putAlias(name, alias, { ...target, description }, change);
      tellAlias(set, options);
    });
}

function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.code === "not_found";
}

function listCommand(): Command {
  return withPageAfter(withServer(new Command("ls"), ["runlet alias ls hello --json"]), "alias")
    .description("list a function's aliases")
    .argument("<name>", "the function")
    .action(async (name: string, options: ServerOptions & PageAfter) => {
      const page = await clientOf(options).aliases(name, queryOf(options));
      printPage(page, options, { columns, none: `No aliases of ${name}.`, cursor: "--after" });
    });
}

const columns: Columns<Alias> = {
  ALIAS: ({ name }) => name,
  VERSION: ({ version }) => String(version),
  SECOND: ({ second }) => String(second?.version ?? "-"),
  WEIGHT: ({ second }) => String(second?.weight ?? "-"),
  CHANGED: ({ updatedAtUs }) => moment(updatedAtUs),
  DESCRIPTION: ({ description }) => description,
};

function removeCommand(): Command {
  const command = removalCommand({
    description: "delete an alias; its versions stay",
    example: "runlet alias rm hello live",
    takes: { name: "the function", alias: "the alias" },
    remove: async (client, change, name, alias) => await client.removeAlias(name, alias, change),
  });
  return withRevision(command);
}

/** Tells where an alias sends calls. */
export function tellAlias(alias: Alias, options: ServerOptions): void {
  const { functionName, name, version, second } = alias;
  const rest =
    second === undefined ? "" : `, and a share of ${second.weight} to version ${second.version}`;
  printDone(options, alias, `${functionName}:${name} sends calls to version ${version}${rest}`);
}
