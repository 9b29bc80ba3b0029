import { Command } from "commander";
import { exampleText, given, wholeNumber } from "../options.ts";

interface ServeOptions {
  host?: string;
  port?: number;
  dataDir?: string;
}

/** `runlet serve`. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("start the server; it ends with Ctrl-C")
    .option("--host <address>", "address to listen on (RUNLET_HOST; 127.0.0.1)")
    .option("--port <port>", "port to listen on (RUNLET_PORT; 7070)", wholeNumber)
    .option("--data-dir <path>", "where the record, code and images are kept (RUNLET_DATA_DIR)")
    .addHelpText(
      "after",
      exampleText(["runlet serve", "runlet serve --port 8080 --data-dir ./data"]),
    )
    .action(async ({ host, port, dataDir }: ServeOptions) => {
      // The server's libraries cost a quarter of a second, which other commands do without.
      const { loadConfig } = await import("../../config.ts");
      const { serveUntilSignal } = await import("../../server.ts");
      const typed = { RUNLET_HOST: host, RUNLET_PORT: port?.toString(), RUNLET_DATA_DIR: dataDir };
      await serveUntilSignal(loadConfig({ ...process.env, ...given(typed) }));
    });
}
