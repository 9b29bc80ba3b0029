import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { messageOf, RunletError } from "../../errors.ts";
import type { Command } from "../../runsc/options.ts";
import { processesIn } from "./control-file.ts";
import type { Dialect } from "./dialect.ts";
import type { Controller, Hierarchy } from "./layout.ts";
import { type CgroupLimits, cgroupBytes, cgroupTasks } from "./limits.ts";
import type { OomWatch } from "./oom-watch.ts";
import { removeCgroup } from "./remove.ts";
import { v1 } from "./v1.ts";
import { v2 } from "./v2.ts";

export interface CgroupOptions {
  name: string;
  /** The hierarchies that bound anything, with the directories that it is to be made in. */
  parents: readonly Hierarchy[];
  limits: CgroupLimits;
  watch: OomWatch;
}

/** What a container uses with all that belongs to its sandbox; undefined where nobody counts it. */
export interface CgroupUsage {
  readonly memoryBytes: number | undefined;
  readonly cpuUs: number | undefined;
  /** Processes and threads of the host. */
  readonly pids: number | undefined;
}

interface Place {
  readonly dialect: Dialect;
  readonly directory: string;
}

/**
 * The cgroup of one container. What enters it first, `runsc run`, takes along all that it starts. Limits of
 * controllers that the host lacks are not enforced. Disposing it kills what is left in it and removes it.
 */
export class Cgroup implements AsyncDisposable {
  readonly name: string;
  readonly #places: readonly Place[];
  readonly #by = new Map<Controller, Place>();
  readonly #initial: CgroupLimits;
  readonly #watch: OomWatch;
  #isMade = false;
  /** What is in force: a container that is taken from stock often has its taker's limits already. */
  #limits: CgroupLimits = {};

  constructor(options: CgroupOptions) {
    this.name = options.name;
    this.#initial = options.limits;
    this.#watch = options.watch;
    this.#places = options.parents.map(({ version, directory, controllers }) => {
      const dialect = version === 1 ? v1 : v2;
      const place = { dialect, directory: join(directory, options.name) };
      for (const controller of controllers) this.#by.set(controller, place);
      return place;
    });
  }

  /** Makes it, with the limits that it was built with. @throws `unavailable` if the system refuses. */
  create(): void {
    try {
      for (const { directory } of this.#places) {
        mkdirSync(directory);
        this.#isMade = true;
      }
    } catch (cause) {
      throw this.#refused("make", cause);
    }
    this.setLimits(this.#initial);
  }

  /** A command that enters the cgroup and then becomes `command`, so that nothing of it runs outside. */
  enter(command: Command): Command {
    if (this.#places.length === 0) return command;
    const entries = this.#places.map(({ dialect, directory }) => join(directory, dialect.entry));
    const args = ["-c", enterScript, "sh", ...entries, "--", command.file, ...command.args];
    return { file: "/bin/sh", args };
  }

  /**
   * Sets the limits that are given; at any time, since a container may be started before it is known for whom.
   * @throws `unavailable` if the system refuses, as it does for less memory than is in use.
   */
  setLimits(limits: CgroupLimits): void {
    const { memoryBytes, cpus, pids } = changed(this.#limits, limits);
    const [memory, cpu, tasks] = [
      this.#by.get("memory"),
      this.#by.get("cpu"),
      this.#by.get("pids"),
    ];
    try {
      if (memoryBytes !== undefined) {
        memory?.dialect.limitMemory(memory.directory, cgroupBytes(memoryBytes));
      }
      if (cpus !== undefined) cpu?.dialect.limitCpu(cpu.directory, cpus);
      if (pids !== undefined) tasks?.dialect.limitPids(tasks.directory, cgroupTasks(pids));
    } catch (cause) {
      throw this.#refused("limit", cause);
    }
    this.#limits = { ...this.#limits, ...limits };
  }

  /** Its processes now. */
  processes(): number[] {
    const [place] = this.#places;
    return place === undefined ? [] : processesIn(place.directory);
  }

  /** How many of its processes were killed for want of memory. */
  oomKills(): number {
    const place = this.#by.get("memory");
    return place?.dialect.oomKills(place.directory) ?? 0;
  }

  /** Calls once, a moment after the first such kill: what is left of the container may hang. */
  onOomKill(listener: () => void): void {
    if (this.#by.has("memory")) this.#watch.add(this, listener);
  }

  /** Whether the sandbox was ever refused a process, which it does not survive. */
  hasRefusedForks(): boolean {
    const place = this.#by.get("pids");
    return (place?.dialect.refusedForks(place.directory) ?? 0) > 0;
  }

  usage(): CgroupUsage {
    const memory = this.#by.get("memory");
    const cpu = this.#by.get("cpuacct") ?? this.#by.get("cpu");
    const pids = this.#by.get("pids");
    return {
      memoryBytes: memory?.dialect.memoryBytes(memory.directory),
      cpuUs: cpu?.dialect.cpuUs(cpu.directory),
      pids: pids?.dialect.pids(pids.directory),
    };
  }

  /** @throws `deadline_exceeded` where something in it cannot be killed; it may be tried again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch.delete(this);
    if (!this.#isMade) return;
    for (const { directory } of this.#places.toReversed()) {
      await removeCgroup(directory, removeMs);
    }
    this.#isMade = false;
  }

  #refused(verb: string, cause: unknown): RunletError {
    const advice = "Run `runlet doctor` to see what the host lacks";
    return new RunletError(
      "unavailable",
      `Cannot ${verb} cgroup ${this.name}: ${messageOf(cause)}. ${advice}`,
      { cause },
    );
  }
}

function changed(old: CgroupLimits, { memoryBytes, cpus, pids }: CgroupLimits): CgroupLimits {
  return {
    ...(memoryBytes !== undefined && memoryBytes !== old.memoryBytes && { memoryBytes }),
    ...(cpus !== undefined && cpus !== old.cpus && { cpus }),
    ...(pids !== undefined && pids !== old.pids && { pids }),
  };
}

const removeMs = 5_000;

/**
 * Writes 0, which is whoever writes, to each file before the `--`, and becomes the command behind it. What is
 * scheduled as a batch does not push others from their processor when it is woken up: the server, which wakes
 * up a guest with each event, goes on with its other callers.
 */
const enterScript =
  'while [ "$1" != -- ]; do echo 0 >"$1" || exit 126; shift; done; shift; ' +
  'command -v chrt >/dev/null && exec chrt --batch 0 "$@"; exec "$@"';
