import { Command } from "commander";
import type { Client } from "../../client/client.ts";
import type { FollowEvent } from "../../schema/follow.ts";
import type { InvocationDetail } from "../../schema/invocation.ts";
import { duration, endOf, moment } from "../format.ts";
import { clientOf, type ServerOptions, wholeNumber, withServer } from "../options.ts";
import { printJson } from "../output.ts";
import { printOutput, writeLines, writeOutput } from "../terminal.ts";

interface LogsOptions extends ServerOptions {
  function?: string;
  limit: number;
  follow?: boolean;
}

/** `runlet logs`. */
export function logsCommand(): Command {
  const command = withServer(new Command("logs"), [
    "runlet logs ID",
    "runlet logs --function hello --limit 3",
    "runlet logs --follow --function hello",
  ])
    .description("show what an invocation, or the latest ones, wrote; stdout and stderr stay apart")
    .argument("[id]", "the invocation")
    .option("--function <name>", "the latest invocations of this function")
    .option("--limit <n>", "how many invocations", wholeNumber, 10)
    .option("--follow", "show output as it comes, of one invocation to its end, or of a function")
    .action(async (id: string | undefined, options: LogsOptions) => {
      const client = clientOf(options);
      if (options.follow) return await follow(followed(client, id, options), options);
      const ids = id === undefined ? await latest(client, options) : [id];
      if (ids.length === 0 && !options.json) process.stderr.write("No such invocations.\n");
      const items: InvocationDetail[] = [];
      for (const each of ids) {
        const record = await client.invocation(each);
        if (options.json) items.push(record);
        else print(record);
      }
      if (options.json) printJson({ items });
    });
  const followed = (
    client: Client,
    id: string | undefined,
    { function: name }: LogsOptions,
  ): AsyncIterable<FollowEvent> => {
    if (id !== undefined) return client.followInvocation(id);
    if (name !== undefined) return client.followFunction(name);
    return command.error("expected whom to follow: an id, or --function");
  };
  return command;
}

async function follow(events: AsyncIterable<FollowEvent>, { json }: LogsOptions): Promise<void> {
  for await (const event of events) {
    if (json) process.stdout.write(`${JSON.stringify(event)}\n`);
    else if (event.type === "output") writeOutput(process[event.stream], event.text);
    else if (event.type === "end")
      process.stderr.write(`-- ${event.invocationId} ${event.status}\n`);
    if (event.type === "cut") throw new Error(event.message);
  }
}

async function latest(client: Client, options: LogsOptions): Promise<string[]> {
  const { limit } = options;
  const page = await client.invocations({ function: options.function, limit });
  return page.items.map((item) => item.id).toReversed();
}

function print(record: InvocationDetail): void {
  const { id, functionName, runtime, status, queuedAtUs, runUs, error } = record;
  const facts = [id, functionName ?? runtime, status, `(${endOf(record)})`, moment(queuedAtUs)];
  process.stderr.write(`-- ${facts.join(" ")} ${duration(runUs)}\n`);
  printOutput(record);
  if (error) writeLines(process.stderr, error.stack ?? error.message);
}
