import { resolve } from "node:path";
import { Command } from "commander";
import { exampleText } from "../options.ts";
import { printDone } from "../output.ts";
import { flagsOf, type ServerSettings, withServerSettings } from "../server-settings.ts";

type Options = ServerSettings & { json?: boolean };

/** `runlet backup`. */
export function backupCommand(): Command {
  return withServerSettings(new Command("backup"))
    .description("copy the record, code and keys to a new directory, also while the server runs")
    .argument("<directory>", "where the backup is to be; it holds keys, so keep it safe")
    .option("--json", "print JSON, also for an error")
    .addHelpText("after", exampleText(["runlet backup /backups/monday", "runlet backup b --json"]))
    .action(async (directory: string, { json, ...settings }: Options) => {
      const { loadConfig } = await import("../../config.ts");
      const { backUp } = await import("../../../store/backup.ts");
      const config = loadConfig(process.env, flagsOf(settings));
      const path = resolve(directory);
      const { codeCount } = await backUp(config, path);
      const line = `Backed up ${config.dataDir} to ${path}, with ${codeCount} trees of code`;
      printDone({ ...(json && { json }) }, { path, codeCount }, line);
    });
}

/** `runlet restore`. */
export function restoreCommand(): Command {
  return withServerSettings(new Command("restore"))
    .description("put a backup into a data directory that has no record, before the server starts")
    .argument("<directory>", "the backup")
    .option("--json", "print JSON, also for an error")
    .addHelpText("after", exampleText(["runlet restore /backups/monday --data-dir ./data"]))
    .action(async (directory: string, { json, ...settings }: Options) => {
      const { loadConfig } = await import("../../config.ts");
      const { restore } = await import("../../../store/backup.ts");
      const config = loadConfig(process.env, flagsOf(settings));
      const { codeCount } = await restore(resolve(directory), config);
      const { dataDir } = config;
      const line = `Restored ${dataDir}, with ${codeCount} trees of code`;
      printDone({ ...(json && { json }) }, { dataDir, codeCount }, line);
    });
}
