import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

const prefix = ".staging-";
const open = new Set<string>();

/** A private directory beside the images, on their file system, so that a rename moves what was made in it. */
export class Staging implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes a directory below `parent` and removes those of processes that died. */
  static async open(parent: string): Promise<Staging> {
    await removeAbandoned(parent);
    const path = join(parent, `${prefix}${process.pid}-${randomUUID()}`);
    // Before it is there: another of this process may look in between.
    open.add(path);
    try {
      await mkdir(path, { mode: 0o700 });
    } catch (error) {
      open.delete(path);
      throw error;
    }
    return new Staging(path);
  }

  /** Makes an empty directory inside. */
  async directory(name: string): Promise<string> {
    const path = join(this.path, name);
    await mkdir(path, { mode: 0o755 });
    return path;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    open.delete(this.path);
  }
}

async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(parent, name);
    const owner = Number.parseInt(name.slice(prefix.length), 10);
    // A new process may have the number of a dead one, above all in a container, where it is often 1.
    const isLive = owner === process.pid ? open.has(path) : isRunning(owner);
    if (!isLive) await rm(path, { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
