import { Command } from "commander";
import { download, upload } from "../copy.ts";
import { clientOf, type ServerOptions, withServer } from "../options.ts";
import { printDone, printLeftOut } from "../output.ts";
import { sandboxPathOf } from "../sandbox-path.ts";

interface CopyOptions extends ServerOptions {
  user?: string;
}

const examples = [
  "runlet cp notes.txt ID:notes.txt",
  "runlet cp ./project ID:project",
  "runlet cp ID:project/dist ./dist",
];

/** `runlet cp`. */
export function cpCommand(): Command {
  const command = withServer(new Command("cp"), examples)
    .description("copy a file, or what a directory holds, into a sandbox or out of one")
    .argument("<from>", "a path, or ID:path of a sandbox")
    .argument("<to>", "likewise; what is missing of it is made in a sandbox")
    .option("-u, --user <user>", "account inside whose rights are used (default: the sandbox's)")
    .action(async (from: string, to: string, options: CopyOptions) => {
      const [source, target] = [sandboxPathOf(from), sandboxPathOf(to)];
      if ((source === undefined) === (target === undefined)) {
        command.error("expected one path of a sandbox, as ID:path, and one of this machine");
      }
      const { sandboxes } = clientOf(options);
      const { user } = options;
      let leftOut = 0;
      const onLeftOut = (path: string, reason: string): void => {
        leftOut++;
        printLeftOut(path, reason);
      };
      const how = { user, onLeftOut };
      if (target !== undefined) await upload(from, sandboxes.of(target.id), target.path, how);
      if (source !== undefined) await download(sandboxes.of(source.id), source.path, to, how);
      printDone(options, { from, to, leftOut }, `Copied ${from} to ${to}`);
      if (leftOut > 0) process.exitCode = 1;
    });
  return command;
}
