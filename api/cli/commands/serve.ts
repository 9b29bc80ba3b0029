import { Command } from "commander";
import { exampleText } from "../options.ts";
import { flagsOf, type ServerSettings, withServerSettings } from "../server-settings.ts";

/** `runlet serve`. */
export function serveCommand(): Command {
  return withServerSettings(new Command("serve"))
    .description("start the server; it ends with Ctrl-C")
    .addHelpText(
      "after",
      exampleText([
        "runlet serve",
        "runlet serve --port 8080 --data-dir ./data",
        "runlet serve --config server.json --set queueLimit=50",
      ]),
    )
    .action(async (settings: ServerSettings) => {
      // The server's libraries cost a quarter of a second, which other commands do without.
      const { loadConfig } = await import("../../config.ts");
      const { serveUntilSignal } = await import("../../server.ts");
      await serveUntilSignal(loadConfig(process.env, flagsOf(settings)));
    });
}
