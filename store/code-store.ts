import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join, relative } from "node:path";
import PQueue from "p-queue";
import { canonicalFiles, type CodeFile, digestOf, parentsOf } from "./code-file.ts";

/** Settings of a code store. */
export interface CodeStoreOptions {
  /** How long code that was just put is spared by a prune, though no version refers to it yet; 10 minutes. */
  readonly graceMs?: number;
}

const digestPattern = /^[0-9a-f]{64}$/;
const unfinishedPrefix = ".tmp-";

/**
 * Code on disk, one directory a digest: the same files are there once. A directory is complete from the
 * moment it has its name, read-only, and readable by every user, since guests are not root.
 * Only one store may work on a directory: a prune takes the unfinished work of another for left behind.
 */
export class CodeStore {
  readonly #directory: string;
  readonly #graceMs: number;
  readonly #putAtMs = new Map<string, number>();
  /** One change at a time, so that no prune removes what a put has just found to be there. */
  readonly #changes = new PQueue({ concurrency: 1 });

  constructor(directory: string, options: CodeStoreOptions = {}) {
    this.#directory = directory;
    this.#graceMs = options.graceMs ?? 600_000;
  }

  /** Stores files and answers their digest. @throws UnsafePathError before anything is written. */
  async put(files: readonly CodeFile[]): Promise<string> {
    const canonical = canonicalFiles(files);
    const digest = digestOf(canonical);
    await this.#changes.add(async () => {
      this.#putAtMs.set(digest, performance.now());
      if (await this.has(digest)) return;
      await mkdir(this.#directory, { recursive: true });
      await using staged = await this.#unfinishedDirectory();
      await writeTree(staged.path, canonical);
      await rename(staged.path, this.path(digest));
    });
    return digest;
  }

  /**
   * The files of a digest by path, with mode 0444 or 0555; undefined if it is not stored.
   * @throws Error if the directory no longer holds what was put.
   */
  async read(digest: string): Promise<CodeFile[] | undefined> {
    const root = this.path(digest);
    if (!(await this.has(digest))) return undefined;
    let files: CodeFile[];
    try {
      files = canonicalFiles(await readTree(root));
    } catch (error) {
      if (isMissing(error) && !(await this.has(digest))) return undefined;
      throw error;
    }
    if (digestOf(files) !== digest) {
      throw new Error(
        `Cannot read code ${digest}: its files were changed on disk. Deploy it again`,
      );
    }
    return files;
  }

  /** The directory with the files of a digest, for mounting; whether or not it is there. */
  path(digest: string): string {
    if (!digestPattern.test(digest)) {
      throw new Error(`Cannot use ${JSON.stringify(digest)} as digest: expected 64 hex digits`);
    }
    return join(this.#directory, digest);
  }

  /** Tells whether the files of a digest are stored. */
  async has(digest: string): Promise<boolean> {
    try {
      return (await lstat(this.path(digest))).isDirectory();
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /** Removes the files of a digest; false if they are not there. No container may have them mounted. */
  async delete(digest: string): Promise<boolean> {
    return await this.#changes.add(async () => await this.#remove(digest));
  }

  /**
   * Removes all code that is not in use, except what was put a moment ago, and what a dead process left
   * unfinished. Answers how many digests went.
   */
  async prune(inUse: ReadonlySet<string>): Promise<number> {
    return await this.#changes.add(async () => {
      let removed = 0;
      for (const name of await this.#names()) {
        if (name.startsWith(unfinishedPrefix)) await removeTree(join(this.#directory, name));
        if (!digestPattern.test(name) || inUse.has(name) || this.#isFresh(name)) continue;
        if (await this.#remove(name)) removed += 1;
      }
      return removed;
    });
  }

  async #remove(digest: string): Promise<boolean> {
    this.#putAtMs.delete(digest);
    if (!(await this.has(digest))) return false;
    // Out of sight with one step first, so that a half-removed tree never bears a digest.
    await using trash = await this.#unfinishedDirectory();
    await rename(this.path(digest), trash.path);
    return true;
  }

  #isFresh(digest: string): boolean {
    const putAtMs = this.#putAtMs.get(digest);
    return putAtMs !== undefined && performance.now() - putAtMs < this.#graceMs;
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.#directory);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  async #unfinishedDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
    const path = await mkdtemp(join(this.#directory, unfinishedPrefix));
    return { path, [Symbol.asyncDispose]: async () => await removeTree(path) };
  }
}

async function writeTree(root: string, files: readonly CodeFile[]): Promise<void> {
  const directories = new Set(files.flatMap((file) => parentsOf(file.path)));
  for (const directory of directories) await mkdir(join(root, directory), { recursive: true });
  for (const file of files) {
    const path = join(root, file.path);
    if ("link" in file) await symlink(file.link, path);
    else {
      await writeFile(path, file.bytes, { flag: "wx" });
      // Not with the write: the umask would have a say there.
      await chmod(path, file.mode);
    }
  }
  for (const directory of directories) await chmod(join(root, directory), 0o555);
  await chmod(root, 0o555);
}

async function readTree(root: string): Promise<CodeFile[]> {
  const files: CodeFile[] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const absolute = join(entry.parentPath, entry.name);
    const path = relative(root, absolute);
    if (entry.isSymbolicLink()) files.push({ path, link: await readlink(absolute) });
    else if (entry.isFile()) {
      const { mode } = await lstat(absolute);
      files.push({ path, mode, bytes: await readFile(absolute) });
    } else throw new Error(`Cannot read code: ${absolute} is neither a file nor a link`);
  }
  return files;
}

/** Removes a tree whose directories may be read-only, which only root could do without a chmod. */
async function removeTree(root: string): Promise<void> {
  try {
    await chmod(root, 0o700);
    for (const entry of await readdir(root, { withFileTypes: true })) {
      if (entry.isDirectory()) await removeTree(join(root, entry.name));
    }
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  await rm(root, { recursive: true, force: true });
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
