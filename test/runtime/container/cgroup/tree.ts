import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cgroups } from "../../../../runtime/container/cgroup/cgroups.ts";
import { cgroupLayout } from "../../../../runtime/container/cgroup/layout.ts";
import { type TempDir, tempDir } from "../../../support/temp-dir.ts";

/** The host's own cgroups under a parent of one test, which goes with all that is in it. */
export class RealTree implements AsyncDisposable {
  readonly cgroups: Cgroups;
  readonly name: string;
  readonly #roots: readonly string[];

  private constructor(cgroups: Cgroups, name: string, roots: readonly string[]) {
    this.cgroups = cgroups;
    this.name = name;
    this.#roots = roots;
  }

  static async open(): Promise<RealTree> {
    // The name of a directory of the run, so that a leak is known as the run's.
    await using dir = await tempDir();
    const name = `runlet-test-cgroups${dir.path.replaceAll("/", "-")}`;
    const { hierarchies } = await cgroupLayout();
    const roots = hierarchies.map(({ directory }) => directory);
    return new RealTree(await Cgroups.open({ name }), name, roots);
  }

  /** Where a cgroup is, in each hierarchy. */
  directories(...names: string[]): string[] {
    return this.#roots.map((root) => join(root, this.name, ...names));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cgroups[Symbol.asyncDispose]();
  }
}

/** Plain files in the place of v2 cgroups. */
export class FakeTree implements AsyncDisposable {
  readonly root: string;
  readonly mountinfo: string;
  readonly #dir: TempDir;

  private constructor(dir: TempDir) {
    this.#dir = dir;
    this.root = dir.file("cgroup");
    this.mountinfo = dir.file("mountinfo");
  }

  static async make(controllers = "cpuset cpu io memory pids"): Promise<FakeTree> {
    const tree = new FakeTree(await tempDir());
    mkdirSync(tree.root);
    writeFileSync(join(tree.root, "cgroup.controllers"), `${controllers}\n`);
    writeFileSync(tree.mountinfo, mountLine(tree.root));
    return tree;
  }

  read(...path: string[]): string {
    return readFileSync(join(this.root, ...path), "utf8");
  }

  write(text: string, ...path: string[]): void {
    writeFileSync(join(this.root, ...path), text);
  }

  /** Takes away the files of a cgroup, as the kernel does with the cgroup itself. */
  empty(...path: string[]): void {
    rmSync(join(this.root, ...path), { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dir[Symbol.asyncDispose]();
  }
}

/** A line of mountinfo for a v2 tree, or a v1 one of some controllers. */
export function mountLine(directory: string, v1?: string): string {
  const type =
    v1 === undefined ? "cgroup2 cgroup2 rw,nsdelegate" : `cgroup cgroup rw,seclabel,${v1}`;
  return `33 31 0:30 / ${directory.replaceAll(" ", "\\040")} rw,nosuid shared:9 - ${type}\n`;
}
