import { Command } from "commander";
import type { SandboxEvent } from "../../schema/sandbox.ts";
import { moment } from "../format.ts";
import { clientOf, type ServerOptions, wholeNumber, withServer } from "../options.ts";
import { type Columns } from "../output.ts";
import { printPage, queryOf, withLimit } from "../page.ts";

interface EventsOptions extends ServerOptions {
  follow?: boolean;
  after?: number;
  limit: number;
}

/** `runlet sandbox events`. */
export function sandboxEventsCommand(): Command {
  const examples = ["runlet sandbox events ID", "runlet sandbox events --follow"];
  const command = withServer(new Command("events"), examples)
    .description("show what has happened to a sandbox, or to all, the oldest first")
    .argument("[id]", "the sandbox")
    .option("-f, --follow", "go on with what comes, to the end of the sandbox or until Ctrl-C")
    .option("--after <n>", "start behind the event of this number", wholeNumber);
  return withLimit(command, 50).action(async (id: string | undefined, options: EventsOptions) => {
    const client = clientOf(options);
    const { follow, limit, after } = queryOf(options);
    if (!follow) {
      const query = { limit, after };
      const page = await (id === undefined
        ? client.allSandboxEvents(query)
        : client.sandboxEvents(id, query));
      return printPage(page, options, { columns, none: "No such events.", cursor: "--after" });
    }
    for await (const event of client.followSandboxEvents(id, { after })) {
      const line = options.json ? JSON.stringify(event) : lineOf(event);
      process.stdout.write(`${line}\n`);
    }
  });
}

const columns: Columns<SandboxEvent> = {
  NUMBER: ({ seq }) => String(seq),
  AT: ({ atUs }) => moment(atUs),
  SANDBOX: ({ sandboxId }) => sandboxId,
  EVENT: ({ type, detail }) => (detail === undefined ? type : `${type} (${detail})`),
};

function lineOf(event: SandboxEvent): string {
  return Object.values(columns)
    .map((column) => column(event))
    .join("  ");
}
