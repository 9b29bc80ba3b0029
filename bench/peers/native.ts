import { join } from "node:path";
import { runnerArgs } from "../../runtime/guest/program.ts";
import { type Child, startChild } from "../harness/child.ts";
import { finishing } from "./finishing.ts";
import type { IsolatorPeer, Isolator, PeerResources, Timed } from "./peer.ts";
import { awaitRunner, callRunner } from "./runner.ts";

/** The same runner as a plain child process: what it costs without any isolation. */
export const nativePeer: IsolatorPeer = {
  name: "native",
  kind: "isolator",
  missing: async () => undefined,
  open: async (resources) => new Native(resources),
};

class Native implements Isolator {
  readonly #directory: string;
  readonly #signal: AbortSignal;
  readonly #children = new Set<Child>();
  #calls = 0;

  constructor({ directory, signal }: PeerResources) {
    this.#directory = directory;
    this.#signal = signal;
  }

  async answer(): Promise<Timed> {
    const startedAtMs = performance.now();
    await using child = await this.#runner();
    const root = join(this.#directory, `task-${++this.#calls}`);
    const channel = await callRunner(child.process.stdio[3], { signal: this.#signal, root });
    const answeredAtMs = performance.now();
    channel.close();
    await child.end(this.#signal);
    return { startedAtMs, answeredAtMs };
  }

  async program(): Promise<Timed> {
    return await finishing(startTrue, this.#signal);
  }

  async idle(): Promise<AsyncDisposable & { readonly pid: number }> {
    const child = await this.#runner();
    this.#children.add(child);
    await awaitRunner(child.process.stdio[3], this.#signal);
    return {
      pid: child.pid,
      [Symbol.asyncDispose]: async () => await child[Symbol.asyncDispose](),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) await child[Symbol.asyncDispose]();
  }

  async #runner(): Promise<Child> {
    const [file = "", ...args] = runnerArgs("node", process.execPath);
    const child = await startChild(file, { args, stdio: ["ignore", "ignore", "ignore", "pipe"] });
    child.process.stdio[3]?.on("error", () => undefined);
    return child;
  }
}

async function startTrue(): Promise<Child> {
  return await startChild("true", { args: [], stdio: "ignore" });
}
