import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { styleText } from "node:util";
import { pino } from "pino";
import { poll } from "../../runtime/deadline.ts";
import { Client } from "../client/client.ts";
import { ConnectionError } from "../client/errors.ts";
import { type Config, loadConfig } from "../config.ts";
import type { Invocation } from "../schema/invocation.ts";
import { type RunningServer, startServer } from "../server.ts";
import { firstKeyIn } from "./api-key.ts";
import { deployment } from "./deployment.ts";
import { reportError } from "./errors.ts";

const example = fileURLToPath(new URL("example/hello.mjs", import.meta.url));

/** Shows the whole way once: a server, a function, an answer from a container, the record of it. */
async function quickstart(config: Config, signal: AbortSignal): Promise<void> {
  await using server = await serverFor(config);
  const apiKey = process.env["RUNLET_API_KEY"] || firstKeyIn(config.dataDir);
  const client = new Client({ url: server.url, apiKey, signal });
  await reach(client, server, signal);
  const { name, spec } = await deployment({ path: example });
  step("Deploying api/cli/example/hello.mjs");
  const { version } = await client.deploy(name, spec);
  step(`Invoking ${name} version ${version.version} in a gVisor container of its own`);
  const answer = await client.invoke(name, { event: JSON.stringify({ name: "Ada" }) });
  show("answer", JSON.parse(Buffer.from(answer.body).toString()));
  show("record", await recordOf(client, answer.invocationId, signal));
  tellNext(server.url);
  if (!process.stdout.isTTY || !server.isOwn) return;
  process.stdout.write("\nServing until Ctrl-C.\n");
  if (!signal.aborted) await once(signal, "abort");
}

interface Server extends RunningServer {
  /** Whether it was started here, or was there before. */
  readonly isOwn: boolean;
}

async function serverFor(config: Config): Promise<Server> {
  step(`Starting the server (data in ${config.dataDir})`);
  const log = pino({ level: "info" }, { write: tellProgress });
  try {
    const server = await startServer(config, log);
    return {
      url: server.url,
      isOwn: true,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "DataDirectoryLockedError") throw error;
    const url = `http://${config.host}:${config.port}`;
    step(`A server has this data directory already: using the one at ${url}`);
    return { url, isOwn: false, async [Symbol.asyncDispose](): Promise<void> {} };
  }
}

/** A server that was there before may still be starting, or listen elsewhere. */
async function reach(client: Client, server: Server, signal: AbortSignal): Promise<void> {
  const probe = async (): Promise<unknown> => {
    try {
      return await client.functions({ limit: 1 });
    } catch (error) {
      if (error instanceof ConnectionError) return undefined;
      throw error;
    }
  };
  try {
    await poll("reach the server", probe, { timeoutMs: 5000, intervalMs: 100, signal });
  } catch (cause) {
    throw new Error(
      `Cannot reach the server at ${server.url}: no answer. If it listens elsewhere, set RUNLET_PORT to its port`,
      { cause },
    );
  }
}

/** The container ends a moment after the answer: the record has its exit code then. */
async function recordOf(client: Client, id: string, signal: AbortSignal): Promise<Invocation> {
  const probe = async (): Promise<Invocation | undefined> => {
    const record = await client.invocation(id);
    return record.exitCode === undefined ? undefined : record;
  };
  return await poll("see the container end", probe, { timeoutMs: 10_000, intervalMs: 20, signal });
}

function tellProgress(line: string): void {
  const { msg, phase, error } = JSON.parse(line) as Record<string, string | undefined>;
  const fact = phase ?? error;
  if (fact !== undefined) step(`${msg}: ${fact}`);
}

function step(text: string): void {
  process.stdout.write(`${styleText("dim", "->")} ${text}\n`);
}

function show(title: string, value: unknown): void {
  process.stdout.write(`\n${styleText("bold", title)}\n${JSON.stringify(value, undefined, 2)}\n`);
}

function tellNext(url: string): void {
  process.stdout.write(`
${styleText("bold", "next")}
  npm start                                      serve at ${url}
  npx runlet deploy FILE                         deploy a function of yours
  npx runlet invoke hello '{"name": "Grace"}'    invoke it
  npx runlet run script.py                       run a script in a sandbox
  npx runlet invocations                         see what ran
  npx runlet --help                              see the rest
`);
}

const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort());
process.once("SIGTERM", () => interrupt.abort());
try {
  await quickstart(loadConfig(process.env), interrupt.signal);
} catch (error) {
  if (!interrupt.signal.aborted) reportError(error, { isJson: false });
  process.exitCode = interrupt.signal.aborted ? 130 : 1;
}
