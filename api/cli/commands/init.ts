import { join } from "node:path";
import { Command, Option } from "commander";
import { exampleText } from "../options.ts";
import { printJson } from "../output.ts";
import { eventFile } from "../project.ts";
import { scaffold, type TemplateName, templateNames } from "../scaffold.ts";

const examples = ["runlet init hello", "runlet init greeter --runtime typescript"];

/** `runlet init`. */
export function initCommand(): Command {
  return new Command("init")
    .description("begin a function in a directory; needs no server")
    .argument("[dir]", "the directory; made where it is not there", ".")
    .addOption(
      new Option("--runtime <runtime>", "what it is written in")
        .choices(templateNames)
        .default("node"),
    )
    .option("--json", "print JSON, also for an error")
    .addHelpText("after", exampleText(examples))
    .action(async (directory: string, options: { runtime: TemplateName; json?: boolean }) => {
      const { name, files } = await scaffold(directory, options.runtime);
      if (options.json) return printJson({ name, directory, files });
      const event = shellWord(join(directory, eventFile));
      process.stdout.write(`Made function ${name} in ${directory}: ${files.join(", ")}
Next:
  runlet dev ${shellWord(directory)}
  runlet deploy ${shellWord(directory)}
  runlet invoke ${name} --file ${event}
`);
    });
}

/** A path as it may be pasted into a shell. */
function shellWord(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
