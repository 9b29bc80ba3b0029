import { Command } from "commander";
import { styleText } from "node:util";
import type { HostCheck, HostCheckOptions } from "../../../runtime/host/check-host.ts";
import { exampleText } from "../options.ts";
import { printJson } from "../output.ts";

/** `runlet doctor`. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("check this host and say how to mend what is found; needs no server")
    .option("--quick", "leave out the trial container")
    .option("--json", "print JSON, also for an error")
    .addHelpText("after", exampleText(["runlet doctor", "runlet doctor --json"]))
    .action(async ({ quick, json }: { quick?: boolean; json?: boolean }) => {
      const { loadConfig } = await import("../../config.ts");
      const { checkHost } = await import("../../../runtime/host/check-host.ts");
      const { dataDir, runsc, ...config } = loadConfig(process.env);
      const platform = config.platform as HostCheckOptions["platform"];
      const checks = await checkHost({ dataDir, runsc, platform, quick });
      if (json) printJson({ items: checks });
      else for (const check of checks) print(check);
      if (checks.some((check) => check.status === "error")) process.exitCode = 1;
    });
}

const colours = { ok: "green", warning: "yellow", error: "red" } as const;

function print({ status, name, found, advice }: HostCheck): void {
  const mark = styleText(colours[status], status.padEnd(7));
  process.stdout.write(`${mark} ${name}: ${found}\n`);
  if (advice !== undefined) process.stdout.write(`        ${advice}\n`);
}
