import { readdirSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../errors.ts";
import { Cgroup } from "./cgroup.ts";
import { ensureCgroup } from "./control-file.ts";
import { enableControllers } from "./enable.ts";
import { cgroupLayout, type CgroupLayout, type Hierarchy } from "./layout.ts";
import type { CgroupLimits } from "./limits.ts";
import { OomWatch } from "./oom-watch.ts";
import { removeCgroup } from "./remove.ts";

export interface CgroupsOptions {
  /** The name of the one cgroup that all others are in, of this Runlet alone. */
  name: string;
  /** The table of mounts to find the hierarchies by. */
  mountinfo?: string;
}

/** A limit that may or may not be enforced on this host. */
export type LimitName = "memory" | "cpu" | "pids";

export const limitNames: readonly LimitName[] = ["memory", "cpu", "pids"];

/** How long whatever is in a cgroup may take to be killed. */
const removeMs = 15_000;

/**
 * The cgroups of all containers: one parent in each hierarchy of the host, right under its root, where a later
 * process finds it again. Disposing it kills and removes all that is in it.
 */
export class Cgroups implements AsyncDisposable {
  readonly version: CgroupLayout["version"];
  /** The limits that cannot be enforced here, and what stands against them; empty if all is well. */
  readonly missing: readonly LimitName[];
  readonly problems: readonly string[];
  readonly #parents: readonly Hierarchy[];
  readonly #watch = new OomWatch();

  private constructor(layout: CgroupLayout, parents: readonly Hierarchy[], problems: string[]) {
    const bound = new Set(parents.flatMap(({ controllers }) => [...controllers]));
    this.version = layout.version;
    this.missing = limitNames.filter((name) => !bound.has(name));
    this.problems = problems;
    this.#parents = parents;
  }

  /** Makes the parents; a host without cgroups, or without the right to them, is no error. */
  static async open({ name, mountinfo }: CgroupsOptions): Promise<Cgroups> {
    const layout = await cgroupLayout(mountinfo);
    const parents: Hierarchy[] = [];
    const problems: string[] = [];
    for (const hierarchy of layout.hierarchies) {
      const directory = join(hierarchy.directory, name);
      try {
        ensureCgroup(directory);
        const controllers =
          hierarchy.version === 1 ? hierarchy.controllers : enableControllers(hierarchy, directory);
        if (controllers.size > 0) parents.push({ ...hierarchy, directory, controllers });
      } catch (error) {
        problems.push(messageOf(error));
      }
    }
    return new Cgroups(layout, parents, problems);
  }

  /** The cgroup of a container, which is yet to be made. */
  of(name: string, limits: CgroupLimits = {}): Cgroup {
    return new Cgroup({ name, parents: this.#parents, limits, watch: this.#watch });
  }

  /** The names of all that are in the parents now. */
  names(): string[] {
    const names = this.#parents.flatMap(({ directory }) => childrenOf(directory));
    return [...new Set(names)].sort();
  }

  /**
   * Kills whatever is in the cgroup of that name, which may be another process's, and removes it.
   * @throws `deadline_exceeded` where something in it cannot be killed.
   */
  async remove(name: string): Promise<void> {
    for (const { directory } of this.#parents) {
      await removeCgroup(join(directory, name), removeMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.names().map(async (name) => await this.remove(name)));
    for (const { directory } of this.#parents) await removeCgroup(directory, removeMs);
  }
}

function childrenOf(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
