import { Command } from "commander";
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
import { printJson, printTable, tellMore } from "../output.ts";

/** `runlet alias`. */
export function aliasCommand(): Command {
  return new Command("alias")
    .description("name versions of a function, and send calls from one to the next")
    .addCommand(setCommand())
    .addCommand(listCommand())
    .addCommand(deleteCommand())
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
  return withServer(new Command("ls"), ["runlet alias ls hello --json"])
    .description("list a function's aliases")
    .argument("<name>", "the function")
    .option("--limit <n>", "how many, at most 200", wholeNumber, 50)
    .option("--after <alias>", "start after this alias")
    .action(async (name: string, options: ServerOptions & { limit: number; after?: string }) => {
      const { limit, after } = options;
      const page = await clientOf(options).aliases(name, { limit, after });
      if (options.json) return printJson(page);
      const header = ["ALIAS", "VERSION", "SECOND", "WEIGHT", "CHANGED", "DESCRIPTION"];
      printTable(header, page.items.map(rowOf), `No aliases of ${name}.`);
      tellMore("--after", page.next);
    });
}

function rowOf({ name, version, second, updatedAtUs, description }: Alias): string[] {
  return [
    name,
    String(version),
    second === undefined ? "-" : String(second.version),
    second === undefined ? "-" : String(second.weight),
    moment(updatedAtUs),
    description,
  ];
}

function deleteCommand(): Command {
  return withServer(new Command("rm"), ["runlet alias rm hello live"])
    .description("delete an alias; its versions stay")
    .argument("<name>", "the function")
    .argument("<alias>", "the alias")
    .action(async (name: string, alias: string, options: ServerOptions) => {
      await clientOf(options).removeAlias(name, alias);
      if (options.json) printJson({ deleted: `${name}:${alias}` });
      else process.stdout.write(`Deleted ${name}:${alias}\n`);
    });
}

/** Tells where an alias sends calls. */
export function tellAlias(alias: Alias, options: ServerOptions): void {
  if (options.json) return printJson(alias);
  const { functionName, name, version, second } = alias;
  const rest =
    second === undefined ? "" : `, and a share of ${second.weight} to version ${second.version}`;
  process.stdout.write(`${functionName}:${name} sends calls to version ${version}${rest}\n`);
}
