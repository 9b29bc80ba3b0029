import { Command } from "commander";
import { exampleText } from "../options.ts";
import { forkCommand, saveCommand } from "./sandbox-copies.ts";

/** `runlet sandbox`. */
export function sandboxCommand(): Command {
  return new Command("sandbox")
    .description("containers that stay open")
    .addCommand(saveCommand())
    .addCommand(forkCommand())
    .addHelpText("after", exampleText(["runlet sandbox fork ID -n 3"]));
}
