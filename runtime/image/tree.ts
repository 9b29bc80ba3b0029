import {
  chmod,
  constants,
  copyFile,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rm,
  symlink,
  utimes,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { RunletError } from "../errors.ts";
import { followWithin, ignoreMissing, partsOf, refusedEntry } from "./rooted-path.ts";

/** What a tree may hold at most. */
export interface TreeLimits {
  readonly maxBytes: number;
  readonly maxEntries: number;
}

/** Mode and time of an entry; the time is that of its last change. */
export interface FileStats {
  readonly mode: number;
  readonly mtime: Date;
}

/**
 * A root file system in the making. Its entries may come from anybody: no path, no link and no order of
 * them makes it write or read outside of its root. It keeps no set-uid bit and no device.
 */
export class Tree {
  readonly root: string;
  readonly #limits: TreeLimits;
  readonly #onBytes: (bytes: number) => void;
  /** Directories by the path that was asked for. A link or directory that goes makes all of it stale. */
  readonly #directories = new Map<string, string>();
  #ofThisLayer = new Set<string>();
  #bytes = 0;
  #entries = 0;

  constructor(root: string, limits: TreeLimits, onBytes: (bytes: number) => void = () => {}) {
    this.root = root;
    this.#limits = limits;
    this.#onBytes = onBytes;
  }

  /** From here on, {@link clear} spares what comes and removes what is there. */
  beginLayer(): void {
    this.#ofThisLayer = new Set();
  }

  /** A directory; one that is there keeps what it holds. */
  async directory(path: string, mode: number): Promise<void> {
    if (partsOf(path).length === 0) return;
    const at = await this.#place(path);
    const stats = await lstat(at).catch(ignoreMissing);
    if (!stats?.isDirectory()) {
      await this.#vacate(at);
      await mkdir(at);
    }
    await chmod(at, permissions(mode) | 0o700);
  }

  /** A directory, or a link to one, that is made only where nothing is. */
  async ensureDirectory(path: string, mode = 0o755): Promise<void> {
    if ((await followWithin(this.root, partsOf(path), { create: false })) !== undefined) {
      await this.#directoryAt(partsOf(path));
      return;
    }
    await chmod(await this.#directoryAt(partsOf(path)), mode);
  }

  /** A file with the bytes that `content` gives. */
  async file(path: string, content: AsyncIterable<Uint8Array>, stats: FileStats): Promise<void> {
    const at = await this.#place(path);
    await this.#vacate(at);
    await using handle = await open(at, "wx", 0o600);
    await handle.writeFile(this.#counted(content));
    await handle.utimes(stats.mtime, stats.mtime);
    await handle.chmod(permissions(stats.mode) | 0o400);
  }

  /** A file with a short text. */
  async text(path: string, text: string): Promise<void> {
    const content = [Buffer.from(text)].values();
    await this.file(path, toAsync(content), { mode: 0o644, mtime: new Date(0) });
  }

  /** A copy of a host's file that the caller trusts. */
  async copy(path: string, source: string, stats: FileStats & { size: number }): Promise<void> {
    const at = await this.#place(path);
    await this.#vacate(at);
    this.#count(stats.size);
    await copyFile(source, at, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    await utimes(at, stats.mtime, stats.mtime);
    await chmod(at, permissions(stats.mode) | 0o400);
  }

  /** A symbolic link; its target is the guest's affair and is never followed out of the tree. */
  async link(path: string, target: string): Promise<void> {
    const at = await this.#place(path);
    await this.#vacate(at);
    await symlink(target, at);
  }

  /** A second name of a file that is in the tree. */
  async hardLink(path: string, existing: string): Promise<void> {
    const parts = partsOf(existing);
    const from = join(await this.#directoryAt(parts.slice(0, -1)), parts.at(-1) ?? ".");
    const stats = await lstat(from).catch(ignoreMissing);
    if (!stats?.isFile() && !stats?.isSymbolicLink()) {
      throw refusedEntry(path, "it is a link to a file that is not there");
    }
    const at = await this.#place(path);
    if (at === from) return;
    await this.#vacate(at);
    await link(from, at);
  }

  /** Takes away what an earlier layer put there. */
  async remove(path: string): Promise<void> {
    const parts = partsOf(path);
    if (parts.length === 0) return;
    const parent = await followWithin(this.root, parts.slice(0, -1), { create: false });
    const at = join(parent ?? this.root, parts.at(-1) ?? ".");
    if (parent !== undefined && !this.#ofThisLayer.has(at)) await this.#vacate(at);
  }

  /** Takes away all that earlier layers put into a directory. */
  async clear(path: string): Promise<void> {
    const at = await followWithin(this.root, partsOf(path), { create: false });
    if (at !== undefined) await this.#clearAt(at);
  }

  /** The path on the host of a plain file, through links that stay in the tree; undefined if there is none. */
  async find(path: string): Promise<string | undefined> {
    const at = await followWithin(this.root, partsOf(path), { create: false });
    return at !== undefined && (await lstat(at)).isFile() ? at : undefined;
  }

  /** The text of a plain file of at most `maxBytes`, or undefined if there is none. */
  async read(path: string, maxBytes: number): Promise<string | undefined> {
    const at = await this.find(path);
    if (at === undefined) return undefined;
    if ((await lstat(at)).size > maxBytes) throw refusedEntry(path, `over ${maxBytes} bytes`);
    return await readFile(at, "utf8");
  }

  async #place(path: string): Promise<string> {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw refusedEntry(path, "it would take the place of the root");
    this.#entries++;
    if (this.#entries > this.#limits.maxEntries) {
      throw tooLarge(`more than ${this.#limits.maxEntries} entries`);
    }
    const at = join(await this.#directoryAt(parts), name);
    for (let own = at; own.length > this.root.length; own = dirname(own)) {
      this.#ofThisLayer.add(own);
    }
    return at;
  }

  async #directoryAt(parts: readonly string[]): Promise<string> {
    const key = parts.join("/");
    const known = this.#directories.get(key);
    if (known !== undefined) return known;
    const found = (await followWithin(this.root, parts, { create: true })) ?? this.root;
    this.#directories.set(key, found);
    return found;
  }

  async #vacate(at: string): Promise<void> {
    const stats = await lstat(at).catch(ignoreMissing);
    if (stats === undefined) return;
    if (!stats.isFile()) this.#directories.clear();
    await rm(at, { recursive: true, force: true });
  }

  async #clearAt(directory: string): Promise<void> {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      const at = join(directory, entry.name);
      if (!this.#ofThisLayer.has(at)) await this.#vacate(at);
      else if (entry.isDirectory()) await this.#clearAt(at);
    }
  }

  async *#counted(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      this.#count(chunk.length);
      yield chunk;
    }
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#limits.maxBytes) {
      throw tooLarge(`more than ${this.#limits.maxBytes} bytes`);
    }
    this.#onBytes(this.#bytes);
  }
}

async function* toAsync<T>(items: Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

function permissions(mode: number): number {
  return mode & 0o1777;
}

function tooLarge(fact: string): RunletError {
  return new RunletError("payload_too_large", `Cannot take the image: ${fact}`);
}
