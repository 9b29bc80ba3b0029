import { Command } from "commander";
import { size } from "../format.ts";
import {
  clientOf,
  given,
  metadataEntry,
  type ServerOptions,
  wholeNumber,
  withServer,
} from "../options.ts";
import { printDone, printMade } from "../output.ts";

interface SaveOptions extends ServerOptions {
  name?: string;
  metadata?: Record<string, string>;
}

interface ForkOptions extends ServerOptions {
  count: number;
  metadata?: Record<string, string>;
  timeoutMs?: number;
}

/** `runlet sandbox snapshot`. */
export function saveCommand(): Command {
  const examples = [
    "runlet sandbox snapshot ID --name installed",
    "runlet sandbox create --snapshot $(runlet sandbox snapshot ID)",
  ];
  return withServer(new Command("snapshot"), examples)
    .description(
      "save a sandbox with memory, processes and files, and print the snapshot's id; it goes on",
    )
    .argument("<id>", "the sandbox")
    .option("--name <name>", "a name to find it by")
    .option("-m, --metadata <name=value>", "to find it by, repeatable", metadataEntry)
    .action(async (id: string, options: SaveOptions) => {
      const { name, metadata } = options;
      const saved = await clientOf(options).createSnapshot(id, given({ name, metadata }));
      const next = `Next: runlet sandbox create --snapshot ${saved.id}`;
      printMade(options, saved, `Took ${size(saved.sizeBytes)}. ${next}`);
    });
}

/** `runlet sandbox fork`. */
export function forkCommand(): Command {
  return withServer(new Command("fork"), ["runlet sandbox fork ID -n 3"])
    .description("open running copies of a sandbox, which goes on")
    .argument("<id>", "the sandbox")
    .option("-n, --count <n>", "how many copies", wholeNumber, 1)
    .option(
      "-m, --metadata <name=value>",
      "of the copies, repeatable (default: as the original's)",
      metadataEntry,
    )
    .option(
      "--timeout-ms <n>",
      "how long they may stay open (default: as the original)",
      wholeNumber,
    )
    .action(async (id: string, options: ForkOptions) => {
      const { count, metadata, timeoutMs } = options;
      const spec = { count, ...given({ metadata, timeoutMs }) };
      const items = await clientOf(options).forkSandbox(id, spec);
      printDone(options, { items }, items.map((copy) => copy.id).join("\n"));
    });
}
