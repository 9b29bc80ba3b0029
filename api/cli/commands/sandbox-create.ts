import { Command, Option } from "commander";
import type { SandboxChange, SandboxSpecInput } from "../../schema/sandbox.ts";
import {
  byteCount,
  clientOf,
  environmentEntry,
  given,
  metadataEntry,
  positiveNumber,
  type ServerOptions,
  wholeNumber,
  withServer,
} from "../options.ts";
import { printDone, printMade } from "../output.ts";
import { queryOf } from "../page.ts";

interface CreateOptions extends ServerOptions, Omit<SandboxSpecInput, "network"> {
  allow?: string[];
}

interface UpdateOptions extends ServerOptions, Omit<SandboxChange, "idleTimeoutMs"> {
  idleTimeoutMs?: number | "none";
}

const createExamples = [
  "runlet sandbox create --timeout-ms 600000 --memory-bytes 1GiB",
  "runlet exec $(runlet sandbox create) -- python3 -V",
  "runlet sandbox create --allow pypi.org:443 '*.pythonhosted.org:443'",
];

/** `runlet sandbox create`. */
export function createCommand(): Command {
  return withServer(new Command("create"), createExamples)
    .description("open a sandbox and print its id")
    .option("--image <name>", "image that it starts from (default: default)")
    .option("--snapshot <id>", "snapshot that it goes on from")
    .option("-e, --env <NAME=value>", "environment of all that runs in it", environmentEntry)
    .option("-m, --metadata <name=value>", "to find it by, repeatable", metadataEntry)
    .option("-u, --user <user>", "account that commands run as (default: runlet)")
    .option("--cwd <path>", "directory that commands run in (default: the user's home)")
    .option("--timeout-ms <n>", "how long it may stay open (default: 300000)", wholeNumber)
    .option("--idle-timeout-ms <n>", "how long it may be idle (default: any time)", wholeNumber)
    .addOption(
      new Option("--on-timeout <what>", "what either does (default: kill)").choices([
        "kill",
        "pause",
      ]),
    )
    .option("--auto-resume", "resume it when a request needs it while it is paused")
    .option("--memory-bytes <size>", "memory, such as 1GiB (default: 512MiB)", byteCount)
    .option("--cpus <n>", "share of processors, such as 0.5 (default: 1)", positiveNumber)
    .option("--pids <n>", "processes and threads (default: 512)", wholeNumber)
    .option("--tmp-bytes <size>", "size of /tmp and of /dev/shm (default: 64MiB)", byteCount)
    .option("--disk-bytes <size>", "what may be written elsewhere (default: 2GiB)", byteCount)
    .option("--allow <host...>", "what it may connect to, such as pypi.org:443 (default: nothing)")
    .action(async (options: CreateOptions) => {
      const { allow, ...settings } = queryOf(options);
      const network = allow && { allow };
      const opened = await clientOf(options).createSandbox(given({ ...settings, network }));
      printMade(options, opened, `Next: runlet exec ${opened.id} -- sh`);
    });
}

/** `runlet sandbox update`. */
export function updateCommand(): Command {
  const examples = ["runlet sandbox update ID --timeout-ms 600000 --idle-timeout-ms none"];
  const command = withServer(new Command("update"), examples)
    .description("set how long a sandbox may stay open, from now on, or its metadata")
    .argument("<id>", "the sandbox")
    .option("--timeout-ms <n>", "how long it may stay open from now on", wholeNumber)
    .option("--idle-timeout-ms <n>", "how long it may be idle; none: any time", idleTimeout)
    .option("-m, --metadata <name=value>", "takes the place of all that is there", metadataEntry)
    .action(async (id: string, options: UpdateOptions) => {
      const { timeoutMs, idleTimeoutMs, metadata } = options;
      const change = {
        ...given({ timeoutMs, metadata }),
        ...(idleTimeoutMs !== undefined && {
          idleTimeoutMs: idleTimeoutMs === "none" ? null : idleTimeoutMs,
        }),
      };
      if (Object.keys(change).length === 0) {
        command.error("expected --timeout-ms, --idle-timeout-ms or --metadata");
      }
      printDone(options, await clientOf(options).changeSandbox(id, change), `Changed ${id}`);
    });
  return command;
}

function idleTimeout(text: string): number | "none" {
  return text === "none" ? text : wholeNumber(text);
}
