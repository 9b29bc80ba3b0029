import { execa } from "execa";
import { Engine } from "./engine.ts";
import type { IsolatorPeer } from "./peer.ts";
import { reasonOf } from "./reason.ts";

/** `docker run --rm --runtime=runsc`. */
export const dockerRunsc: IsolatorPeer = dockerPeer("docker-runsc", "runsc");

/** `docker run --rm --runtime=runc`. */
export const dockerRunc: IsolatorPeer = dockerPeer("docker-runc", "runc");

function dockerPeer(name: IsolatorPeer["name"], runtime: string): IsolatorPeer {
  return {
    name,
    kind: "isolator",
    missing: async (signal) => await missing(runtime, signal),
    open: async (resources) => await Engine.open({ client: "docker", runtime }, resources),
  };
}

async function missing(runtime: string, signal: AbortSignal): Promise<string | undefined> {
  const result = await execa("docker", ["info", "--format", "{{json .Runtimes}}"], {
    reject: false,
    timeout: 10_000,
    cancelSignal: signal,
  });
  signal.throwIfAborted();
  if (result.exitCode !== 0 || !result.stdout.startsWith("{")) return reasonOf("docker", result);
  const runtimes = Object.keys(JSON.parse(result.stdout) as object);
  if (runtimes.includes(runtime)) return undefined;
  return `the docker daemon has no runtime ${runtime}. Start it with --add-runtime ${runtime}=PATH`;
}
