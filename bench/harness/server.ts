import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Client } from "../../api/client/client.ts";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { poll, within } from "../../runtime/deadline.ts";
import { processesOf } from "../../runtime/container/proc.ts";
import type { Context } from "./bench.ts";
import { type Child, startChild } from "./child.ts";
import { HttpLoad } from "./http-load.ts";
import { imagesDir } from "./images.ts";
import { untilStocked } from "./pool-state.ts";
import { rateOf } from "./rate.ts";
import { event, source } from "./workload.ts";

/** Until V8 has nothing left to compile, some 20,000 invocations. */
const heatWindows = 4;
const heatConnections = 4;
const startTimeoutMs = 15 * 60_000;
const entry = join(import.meta.dirname, "../../api/server.ts");

/** Runlet as its users have it: a process of its own, with directories of its own. */
export interface Server extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  readonly client: Client;
  /** Deploys the function under test; answers the path to post events to. */
  deploy(isolation: "fresh" | "reuse"): Promise<string>;
  load(connections: number): HttpLoad;
  /** Waits until so many containers are in stock and nothing starts. */
  stocked(count: number): Promise<void>;
  /** Has the server compile its own code, as one that has served for a while has: invokes a function again and again. */
  heat(): Promise<void>;
  /** Waits until no container is left. */
  empty(): Promise<void>;
}

/** Starts a server for the rest of a bench. `env` is what differs from the default configuration. */
export async function startServer(
  { directory, windowMs, signal, stack, progress }: Context,
  env: Readonly<Record<string, string>> = {},
): Promise<Server> {
  progress("starting a server");
  const own = await mkdtemp(join(directory, "s"));
  const stateDir = join(own, "s");
  const child = stack.use(
    await startChild(process.execPath, {
      args: [entry],
      stdio: ["ignore", "ignore", "pipe"],
      graceMs: 60_000,
      env: {
        ...process.env,
        RUNLET_DATA_DIR: join(own, "d"),
        RUNLET_STATE_DIR: stateDir,
        RUNLET_IMAGES_DIR: imagesDir,
        RUNLET_PORT: "0",
        RUNLET_AUTH: "loopback",
        RUNLET_LOG_LEVEL: "info",
        RUNLET_SHUTDOWN_TIMEOUT_MS: "1000",
        RUNLET_QUEUE_LIMIT: "10000",
        RUNLET_QUEUE_TIMEOUT_MS: "600000",
        ...env,
      },
    }),
  );
  const url = await within(urlOf(child), "see the server listen", startTimeoutMs, signal);
  const client = new Client({ url, signal });
  return {
    pid: child.pid,
    url,
    client,
    deploy: async (isolation) => await deploy(client, isolation),
    heat: async () => {
      progress("letting the server compile its own code");
      const path = await deploy(client, "reuse");
      using load = new HttpLoad(url, heatConnections, signal);
      const one = async (): Promise<number> => await load.time(path, event);
      await rateOf(one, { concurrency: heatConnections, windowMs: heatWindows * windowMs, signal });
    },
    load: (connections) => stack.use(new HttpLoad(url, connections, signal)),
    stocked: async (count) => await untilStocked(url, count, signal),
    empty: async () => await untilEmpty(join(stateDir, "containers"), signal),
    [Symbol.asyncDispose]: async () => await child[Symbol.asyncDispose](),
  };
}

async function deploy(client: Client, isolation: "fresh" | "reuse"): Promise<string> {
  const spec: FunctionSpecInput = { runtime: "node", isolation, code: { source } };
  await client.deploy(isolation, spec);
  return `/v1/functions/${isolation}/invocations`;
}

async function untilEmpty(root: string, signal: AbortSignal): Promise<void> {
  const isEmpty = (): true | undefined => (processesOf(root).length === 0 ? true : undefined);
  await poll("see all containers end", isEmpty, { timeoutMs: 60_000, intervalMs: 5, signal });
}

/** The log is read to its end, lest the server should wait for a reader. */
async function urlOf(child: Child): Promise<string> {
  const { stderr } = child.process;
  if (stderr === null) throw new Error("A server has no log");
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let last = "";
  createInterface({ input: stderr })
    .on("line", (line) => {
      last = line;
      const url = /"url":"([^"]+)"/.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    })
    .on("close", () => reject(new Error(`The server did not start: ${last}`)));
  return await promise;
}
