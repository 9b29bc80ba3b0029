import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import PQueue from "p-queue";
import { poll } from "../deadline.ts";
import { messageOf } from "../errors.ts";
import type { Runsc } from "../runsc/runsc.ts";
import type { Cgroups } from "./cgroup/cgroups.ts";
import { isProcessOf, processesOf, signalProcess, startOf } from "./proc.ts";

export interface LeftoversOptions {
  runsc: Runsc;
  /** A directory for what is to be removed, on the same file system as what is put aside. */
  directory: string;
  /** The directory that holds the bundles of all containers. */
  bundles: string;
  /** More directories that only containers used. */
  others?: readonly string[];
  /** Their cgroups, which know of processes that cannot be told by their arguments any more. */
  cgroups?: Cgroups;
}

/** What has become of what was left. */
export interface Removal {
  /** The ids of the containers that were found. */
  readonly containers: readonly string[];
  /** What could not be removed, and why. It is tried again at the next start. */
  readonly problems: readonly string[];
}

interface Dying {
  readonly pid: number;
  readonly start: string | undefined;
}

/** How much is removed at once: others have work to do meanwhile. */
const concurrency = 8;
/** How long what was killed may take to end. */
const endMs = 15_000;

/**
 * What an earlier process of ours left behind. It is killed and put aside at once, so that nothing of it meets
 * what is made from then on; to remove it takes its time, which nobody has to wait for.
 */
export class Leftovers {
  readonly #options: LeftoversOptions;
  readonly #containers: readonly string[];
  readonly #dying: Dying[];
  readonly #grouped: readonly string[];

  private constructor(
    options: LeftoversOptions,
    found: { bundles: readonly string[]; dying: Dying[]; grouped: readonly string[] },
  ) {
    this.#options = options;
    this.#dying = found.dying;
    this.#grouped = found.grouped;
    this.#containers = [...new Set([...found.grouped, ...found.bundles])].sort();
  }

  /** Kills all processes of runsc's root and puts its files aside. Only before the first container of our own. */
  static async putAside(options: LeftoversOptions): Promise<Leftovers> {
    const { runsc, directory, bundles, others = [], cgroups } = options;
    const dying = killProcessesOf(runsc.root);
    const grouped = cgroups?.names() ?? [];
    const names = readdirSync(bundles);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const aside = await mkdtemp(join(directory, "run-"));
    for (const [index, each] of [bundles, ...runsc.directories, ...others].entries()) {
      renameSync(each, join(aside, String(index)));
      mkdirSync(each, { mode: 0o700 });
    }
    return new Leftovers(options, { bundles: names, dying, grouped });
  }

  /** Removes all of it that lets itself be removed; never rejects. */
  async remove(): Promise<Removal> {
    const queue = new PQueue({ concurrency });
    const problems: string[] = [];
    const attempt = (work: () => Promise<unknown>) => async (): Promise<void> => {
      await work().catch((error: unknown) => void problems.push(messageOf(error)));
    };
    await queue.add(attempt(async () => await this.#untilDead()));
    await queue.addAll(
      this.#grouped.map((name) => attempt(async () => await this.#options.cgroups?.remove(name))),
    );
    const runs = await pathsIn(this.#options.directory);
    const places = (await Promise.all(runs.map(pathsIn))).flat();
    const files = (await Promise.all(places.map(pathsIn))).flat();
    await queue.addAll(files.map((path) => attempt(async () => await removeAll(path))));
    if (problems.length === 0) await attempt(async () => await Promise.all(runs.map(removeAll)))();
    return { containers: this.#containers, problems };
  }

  /** From the last to the first, so that each is looked at about once. */
  async #untilDead(): Promise<void> {
    const { root } = this.#options.runsc;
    const isAlive = ({ pid, start }: Dying): boolean =>
      isProcessOf(pid, root) && startOf(pid) === start;
    const left = [...this.#dying];
    const probe = (): true | undefined => {
      for (let last = left.at(-1); last !== undefined && !isAlive(last); last = left.at(-1)) {
        left.pop();
      }
      return left.length === 0 ? true : undefined;
    };
    await poll(`end the processes of ${root}`, probe, { timeoutMs: endMs });
  }
}

/** What is being killed starts nothing any more: once a look finds nobody new, there will be nobody new. */
function killProcessesOf(root: string): Dying[] {
  const killed = new Map<number, Dying>();
  for (;;) {
    const found = processesOf(root).filter((pid) => !killed.has(pid));
    if (found.length === 0) return [...killed.values()];
    for (const pid of found) {
      killed.set(pid, { pid, start: startOf(pid) });
      signalProcess(pid, "SIGKILL");
    }
  }
}

async function removeAll(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

async function pathsIn(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.map((name) => join(directory, name));
}
