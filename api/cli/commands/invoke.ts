import { Command, Option } from "commander";
import { ApiError } from "../../client/client.ts";
import type { AnswerHead } from "../../client/invoke.ts";
import type { Callback } from "../../schema/destination.ts";
import { answerAsJson, printAnswer } from "../answer.ts";
import { readInput } from "../input.ts";
import { clientOf, type ServerOptions, withServer } from "../options.ts";
import { printDone, printJson } from "../output.ts";
import { writeOutput } from "../terminal.ts";

interface InvokeCommandOptions extends ServerOptions {
  file?: string;
  batch?: string;
  type: string;
  qualifier?: string;
  async?: boolean;
  callbackUrl?: string;
  callbackSecret?: string;
  log?: boolean;
  idempotencyKey?: string;
  dryRun?: boolean;
  verbose?: boolean;
}

const examples = [
  `runlet invoke hello '{"name": "Ada"}'`,
  "runlet invoke resize --file photo.png --type image/png > small.png",
  "runlet invoke hello:live",
  "echo '[1, 2]' | runlet invoke sum -",
  `runlet invoke charge '{"euros": 3}' --idempotency-key order-17`,
  `runlet invoke --async report '{"month": 5}'`,
  "runlet invoke resize --batch photos.json",
  "runlet invoke --async report --callback-url https://example.org/ended --callback-secret callback-key",
];

/** What is about one event, by the names of the properties. */
const oneEventOptions = [
  "file",
  "type",
  "async",
  "callbackUrl",
  "callbackSecret",
  "log",
  "idempotencyKey",
  "dryRun",
  "verbose",
];

/** `runlet invoke`. */
export function invokeCommand(): Command {
  const command = withServer(new Command("invoke"), examples)
    .description("invoke a function; prints its answer")
    .argument("<name>", "the function; name:alias or name:number for another version")
    .argument("[event]", "the event, or - for standard input; {} by default")
    .option("-f, --file <path>", "read the event from a file")
    .addOption(
      new Option(
        "--batch <path>",
        "a file with a JSON array of up to 100 events, each of which is invoked; prints JSON",
      ).conflicts(oneEventOptions),
    )
    .option("-t, --type <type>", "media type of the event", "application/json")
    .option("--qualifier <name>", "an alias, or a version other than the latest")
    .option("--async", "queue the event and print its id, without waiting for the answer")
    .option("--callback-url <url>", "with --async, a URL that is told of the event's end")
    .option("--callback-secret <name>", "the secret that signs what the callback is sent")
    .option(
      "-l, --log",
      "show the last 4 KiB of what it wrote on stderr, after the answer or its failure",
    )
    .option("--idempotency-key <key>", "run once for this key, however often it is asked for")
    .option("--dry-run", "check the function and the event, and run nothing")
    .option("-v, --verbose", "tell the invocation id, the start kind and the times on stderr")
    .action(async (name: string, typed: string | undefined, options: InvokeCommandOptions) => {
      const { type: contentType, qualifier, idempotencyKey } = options;
      if (typed !== undefined && (options.file ?? options.batch) !== undefined) {
        command.error("expected one event, as an argument or with --file, or many with --batch");
      }
      if (options.batch !== undefined) return await invokeBatch(name, options.batch, options);
      const callback = callbackOf(command, options);
      const event = await eventOf(typed, options.file);
      const client = clientOf(options);
      if (options.async) {
        const request = { event, contentType, qualifier, callback, idempotencyKey };
        const accepted = await client.invokeAsync(name, request);
        return printDone(options, accepted, accepted.eventId);
      }
      const log = options.log ? "tail" : undefined;
      const request = { event, contentType, qualifier, idempotencyKey, log } as const;
      if (options.dryRun) {
        const version = await client.checkInvoke(name, request);
        return printDone(options, { name, version }, `Fit to run: ${name} version ${version}`);
      }
      const answer = await client.invokeStream(name, request).catch(tellLogOfFailure);
      if (options.json) printJson(await answerAsJson(answer));
      else await printAnswer(answer);
      tellLog(answer.logTail());
      if (options.verbose) tell(answer);
    });
  return command;
}

/** A failure of one is in its place, and is one of the command. */
async function invokeBatch(
  name: string,
  path: string,
  options: InvokeCommandOptions,
): Promise<void> {
  const events = eventsIn(path, (await readInput(path)).toString());
  const { qualifier } = options;
  const result = await clientOf(options).invokeBatch(name, events, { qualifier });
  printJson(result);
  if (result.items.some(({ error }) => error !== undefined)) process.exitCode = 1;
}

function eventsIn(path: string, text: string): readonly unknown[] {
  let events: unknown;
  try {
    events = JSON.parse(text);
  } catch (cause) {
    throw new Error(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  if (Array.isArray(events)) return events;
  throw new Error(`Cannot read ${path}: expected a JSON array of events`);
}

function callbackOf(
  command: Command,
  { async: isAsync, callbackUrl: url, callbackSecret: secret }: InvokeCommandOptions,
): Callback | undefined {
  if (url === undefined && secret === undefined) return undefined;
  if (url !== undefined && secret !== undefined && isAsync) return { url, secret };
  return command.error("expected --async, --callback-url and --callback-secret together");
}

function tellLogOfFailure(error: unknown): never {
  if (error instanceof ApiError) {
    tellLog(Buffer.from(error.headers.get("runlet-log-tail") ?? "", "base64"));
  }
  throw error;
}

function tellLog(bytes: Uint8Array = Buffer.alloc(0)): void {
  writeOutput(process.stderr, bytes);
  if (bytes.length > 0 && bytes.at(-1) !== 0x0a) process.stderr.write("\n");
}

async function eventOf(
  typed: string | undefined,
  file: string | undefined,
): Promise<string | Uint8Array> {
  if (file !== undefined) return await readInput(file);
  return typed === "-" ? await readInput(typed) : (typed ?? "{}");
}

function tell({ invocationId, start, status, headers }: AnswerHead): void {
  const timing = headers.get("server-timing") ?? "";
  process.stderr.write(`${invocationId} status ${status}; ${start} start; ${timing}\n`);
}
