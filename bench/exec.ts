import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { containerSpec } from "../runtime/container/container-spec.ts";
import type { Init } from "../runtime/container/init.ts";
import { poll } from "../runtime/deadline.ts";
import { Machine } from "../runtime/machine.ts";
import { alternate, type Contestant } from "./harness/alternate.ts";
import type { Bench, Context } from "./harness/bench.ts";
import { timedPeers } from "./harness/contestants.ts";
import { defaultImage } from "./harness/images.ts";
import { startServer } from "./harness/server.ts";
import { isolators } from "./peers/names.ts";

const variant = "exec";
const request = JSON.stringify({ runtime: "command", command: ["true"] });

/** A program in a container of its own over HTTP, and a further process in a container that runs already. */
export const exec: Bench = {
  name: "exec",
  summary: "a program: POST /v1/execute, and a further process in a running container (@exec)",
  peers: isolators,
  defaultRuns: 50,
  counts: "programs of each kind",
  run: async (context) => {
    const { runs, peers } = context;
    const opened = await peers.isolators();
    const contestants = [
      await overHttp(context),
      ...timedPeers(opened, (isolator) => async () => await isolator.program(), { runs }),
      await inContainer(context),
      ...timedPeers(opened, (isolator) => isolator.inside?.bind(isolator), { runs, variant }),
    ];
    const samples = await alternate(contestants, context);
    return [{ name: "exec", unit: "ms", better: "lower", samples }];
  },
};

async function overHttp(context: Context): Promise<Contestant> {
  const server = await startServer(context, { RUNLET_POOL_MAX: "0" });
  const load = server.load(1);
  const sample = async (): Promise<number> => await load.time("/v1/execute", request);
  return { name: "runlet", samples: context.runs, sample };
}

/** By way of the runtime alone: no route leads to it. */
async function inContainer(context: Context): Promise<Contestant> {
  const { directory, signal, stack, runs, progress } = context;
  const image = await defaultImage(signal, progress);
  const machine = stack.use(
    await Machine.open({
      stateDir: join(await mkdtemp(join(directory, "m")), "s"),
      runsc: process.env["RUNLET_RUNSC"] || "runsc",
      platform: process.env["RUNLET_PLATFORM"] || undefined,
    }),
  );
  const args = ["sleep", "86400"];
  const spec = containerSpec({ image, tmpBytes: 16 * 1024 * 1024, args });
  const init = stack.use(machine.container(spec, { stdio: { kind: "null" } }));
  await init.create(signal);
  await init.start(signal);
  const sample = async (): Promise<number> => await timeExec(init, signal);
  // It is started before runsc knows of it.
  const isUp = async (): Promise<number | undefined> => await sample().catch(() => undefined);
  await poll("see a container run", isUp, { timeoutMs: 30_000, signal });
  return { name: `runlet@${variant}`, samples: runs, sample };
}

async function timeExec(init: Init, signal: AbortSignal): Promise<number> {
  const start = performance.now();
  await using process = init.exec({ process: { args: ["true"] }, stdio: { kind: "null" } });
  await process.start(signal);
  const { code, reason } = await process.wait(signal);
  if (code !== 0) throw new Error(`Cannot measure a further process: ${reason} with ${code}`);
  return performance.now() - start;
}
