import { Command } from "commander";
import type { EffectiveSetting } from "../../config.ts";
import { exampleText } from "../options.ts";
import { type Columns, printJson, printTable } from "../output.ts";
import { flagsOf, type ServerSettings, withServerSettings } from "../server-settings.ts";

/** `runlet config`. */
export function configCommand(): Command {
  return withServerSettings(new Command("config"))
    .description("print what `serve` would be configured with, and where that comes from")
    .option("--json", "print JSON, also for an error")
    .addHelpText(
      "after",
      exampleText(["runlet config", "runlet config --config server.json --json"]),
    )
    .action(async ({ json, ...settings }: ServerSettings & { json?: boolean }) => {
      const { effectiveSettings } = await import("../../config.ts");
      const items = effectiveSettings(process.env, flagsOf(settings));
      if (json) printJson({ items });
      else printTable(columns, items, "");
    });
}

const columns: Columns<EffectiveSetting> = {
  SETTING: ({ key }) => key,
  VALUE: ({ value }) => cellOf(value),
  SOURCE: ({ source }) => source,
  PLACE: ({ place = "-" }) => place,
};

function cellOf(value: unknown): string {
  if (Array.isArray(value) && value.length > 0) return value.join(",");
  return typeof value === "string" || typeof value === "number" ? String(value) : "-";
}
