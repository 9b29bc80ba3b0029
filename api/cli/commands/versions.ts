import { Command } from "commander";
import { moment } from "../format.ts";
import { clientOf, type ServerOptions, wholeNumber, withServer } from "../options.ts";
import { printJson, printTable, tellMore } from "../output.ts";

/** `runlet versions`. */
export function versionsCommand(): Command {
  return withServer(new Command("versions"), ["runlet versions hello"])
    .description("list a function's versions, newest first")
    .argument("<name>", "the function")
    .option("--limit <n>", "how many, at most 200", wholeNumber, 50)
    .option("--before <n>", "start before this version", wholeNumber)
    .action(async (name: string, options: ServerOptions & { limit: number; before?: number }) => {
      const { limit, before } = options;
      const page = await clientOf(options).versions(name, { limit, before });
      if (options.json) return printJson(page);
      const rows = page.items.map((version) => [
        String(version.version),
        version.runtime,
        version.image,
        moment(version.createdAtUs),
        version.codeDigest?.slice(0, 12) ?? "-",
      ]);
      const header = ["VERSION", "RUNTIME", "IMAGE", "DEPLOYED", "CODE"];
      printTable(header, rows, "No older versions.");
      tellMore("--before", page.next);
    });
}
