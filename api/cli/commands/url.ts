import { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../options.ts";
import { printJson } from "../output.ts";

const examples = ["runlet url hello", 'curl "$(runlet url hello)/users/7?full=1"'];

/** `runlet url`. */
export function urlCommand(): Command {
  return withServer(new Command("url"), examples)
    .description("print the URL at which a public function answers HTTP requests")
    .argument("<name>", "the function")
    .option("--qualifier <name>", "an alias, or a version other than the latest")
    .action(async (name: string, options: ServerOptions & { qualifier?: string }) => {
      const client = clientOf(options);
      const { http } = await client.getFunction(name);
      const url = client.functionUrl(name, options.qualifier);
      if (options.json) return printJson({ url, public: http.public });
      process.stdout.write(`${url}\n`);
      if (http.public) return;
      process.stderr.write(`[${name} is not public: deploy it with --public to have it answer]\n`);
    });
}
