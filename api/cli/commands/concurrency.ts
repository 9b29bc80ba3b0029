import { Command } from "commander";
import type { FunctionConcurrency } from "../../schema/concurrency.ts";
import {
  clientOf,
  exampleText,
  given,
  type ServerOptions,
  wholeNumber,
  withServer,
} from "../options.ts";
import { printDone } from "../output.ts";

/** `runlet concurrency`. */
export function concurrencyCommand(): Command {
  return new Command("concurrency")
    .description("reserve container slots for a function, and keep containers of it started")
    .addCommand(setCommand())
    .addCommand(showCommand())
    .addCommand(unsetCommand())
    .addHelpText("after", exampleText(setExamples));
}

const setExamples = [
  "runlet concurrency set report --reserved 4 --provisioned 2",
  "runlet concurrency set report --reserved 0    # stops it",
];

function setCommand(): Command {
  const command: Command = withServer(new Command("set"), setExamples)
    .description("set what is named, for all versions and at once; the rest stays as it is")
    .argument("<name>", "the function")
    .option(
      "--reserved <n>",
      "slots that are for this function alone, and all it gets",
      wholeNumber,
    )
    .option("--provisioned <n>", "how many containers are kept started", wholeNumber)
    .action(async (name: string, options: ServerOptions & FunctionConcurrency) => {
      const { reserved, provisioned } = options;
      if (reserved === undefined && provisioned === undefined) {
        command.error("expected --reserved or --provisioned");
      }
      const client = clientOf(options);
      const wanted = { ...(await client.concurrency(name)), ...given({ reserved, provisioned }) };
      tell(name, await client.setConcurrency(name, wanted), options);
    });
  return command;
}

function showCommand(): Command {
  return withServer(new Command("show"), ["runlet concurrency show report"])
    .description("show what is set for a function beside its versions")
    .argument("<name>", "the function")
    .action(async (name: string, options: ServerOptions) => {
      tell(name, await clientOf(options).concurrency(name), options);
    });
}

function unsetCommand(): Command {
  return withServer(new Command("rm"), ["runlet concurrency rm report"])
    .description("reserve no slots, and keep as many started as the versions say")
    .argument("<name>", "the function")
    .action(async (name: string, options: ServerOptions) => {
      await clientOf(options).removeConcurrency(name);
      tell(name, {}, options);
    });
}

function tell(name: string, set: FunctionConcurrency, options: ServerOptions): void {
  const { reserved = "none", provisioned = "as its versions say" } = set;
  printDone(options, set, `Function ${name}: reserved ${reserved}; provisioned ${provisioned}`);
}
