import { Command } from "commander";
import type { PageBefore } from "../../client/methods.ts";
import type { FunctionVersion } from "../../schema/function.ts";
import { moment } from "../format.ts";
import { clientOf, type ServerOptions, wholeNumber, withServer } from "../options.ts";
import type { Columns } from "../output.ts";
import { printPage, queryOf, withLimit } from "../page.ts";

/** `runlet versions`. */
export function versionsCommand(): Command {
  return withLimit(withServer(new Command("versions"), ["runlet versions hello"]), 50)
    .description("list a function's versions, newest first")
    .argument("<name>", "the function")
    .option("--before <n>", "start before this version", wholeNumber)
    .action(async (name: string, options: ServerOptions & PageBefore) => {
      const page = await clientOf(options).versions(name, queryOf(options));
      printPage(page, options, { columns, none: "No older versions.", cursor: "--before" });
    });
}

const columns: Columns<FunctionVersion> = {
  VERSION: ({ version }) => String(version),
  RUNTIME: ({ runtime }) => runtime,
  IMAGE: ({ image }) => image,
  DEPLOYED: ({ createdAtUs }) => moment(createdAtUs),
  CODE: ({ codeDigest }) => codeDigest?.slice(0, 12) ?? "-",
};
