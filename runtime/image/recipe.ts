import { createHash } from "node:crypto";
import { readlinkSync, realpathSync, statSync, type Stats } from "node:fs";
import { dirname, join, relative } from "node:path";
import { librariesOf } from "./libraries.ts";
import { programDirectories, programNames } from "./programs.ts";
import { findPython, isUnneeded, type Python } from "./python.ts";
import { walk } from "./walk.ts";

/** To be raised when what is made of the same sources changes. */
const recipeVersion = 1;

/** A file of the host, or a link, and where it stands in the image. */
export type RecipeEntry =
  | { readonly path: string; readonly target: string }
  | {
      readonly path: string;
      readonly source: string;
      readonly size: number;
      readonly mtime: Date;
      readonly mode: number;
    };

/** All that the default image is made of. */
export interface Recipe {
  readonly entries: readonly RecipeEntry[];
  readonly python: Python | undefined;
  /** Directories with libraries, for the dynamic linker. */
  readonly libraryDirectories: readonly string[];
  readonly totalBytes: number;
  /** Changes when a source does: a new node, a library that was upgraded, a program that came or went. */
  readonly digest: string;
  readonly linked: LinkedLibraries;
}

/** Which shared libraries the programs of a recipe need, so that nobody has to ask the dynamic linker again. */
export interface LinkedLibraries {
  /** Changes when a program does, or where the linker finds libraries. */
  readonly digest: string;
  readonly paths: readonly string[];
}

const rootLinks = ["bin", "sbin", "lib", "lib64"];
const certificates = "/etc/ssl/certs/ca-certificates.crt";
const dataFiles = [certificates, "/etc/os-release"];
/** Written anew whenever a library comes, goes or moves. */
const linkerCache = "/etc/ld.so.cache";
const dataDirectories = ["/usr/share/zoneinfo", "/usr/lib/locale/C.utf8", "/lib/terminfo"];
const isUnneededData = (path: string): boolean => path === "posix" || path === "right";

/** Finds on the host what the default image is made of; `known` are the libraries that were found before. */
export async function readRecipe(signal: AbortSignal, known?: LinkedLibraries): Promise<Recipe> {
  const list = new EntryList();
  for (const name of rootLinks) list.link(`/${name}`, `usr/${name}`);
  list.program("/usr/bin/node", process.execPath);
  for (const name of programNames) {
    for (const directory of programDirectories.toReversed()) {
      list.program(`/usr/bin/${name}`, join(directory, name));
    }
  }
  const python = await findPython(signal);
  if (python !== undefined) {
    list.program(python.program, python.program);
    for (const name of ["python3", "python"]) list.link(`/usr/bin/${name}`, python.program);
    await list.directory(python.standardLibrary, isUnneeded);
  }
  for (const path of dataFiles) list.file(path, path);
  // Where OpenSSL looks when it is not told; the directory of single certificates is not taken along.
  list.link("/usr/lib/ssl/cert.pem", certificates);
  for (const path of dataDirectories) await list.directory(path, isUnneededData);
  signal.throwIfAborted();
  const linkedDigest = list.digestWith(linkerCache);
  const libraries =
    known?.digest === linkedDigest ? known.paths : await librariesOf(list.linkedFiles(), signal);
  for (const path of libraries) list.file(path, path);
  return {
    entries: list.entries(),
    python,
    libraryDirectories: [...new Set(libraries.map((path) => dirname(path)))],
    totalBytes: list.entries().reduce((sum, entry) => sum + ("size" in entry ? entry.size : 0), 0),
    digest: list.digest(),
    linked: { digest: linkedDigest, paths: libraries },
  };
}

/**
 * Entries by the path in the image; the last one wins. They are some two thousand, at each start of a server: the way
 * by the thread pool takes longer than the question.
 */
class EntryList {
  readonly #entries = new Map<string, RecipeEntry>();
  readonly #programs = new Map<string, string>();

  link(path: string, target: string): void {
    this.#entries.set(path, { path, target });
  }

  /** A file, with the bytes that a link of the host leads to; nothing if the host has none. */
  file(path: string, source: string): void {
    const stats = statsOf(source);
    if (!stats?.isFile()) return;
    const { size, mtime, mode } = stats;
    this.#entries.set(path, { path, source: realpathSync.native(source), size, mtime, mode });
  }

  /** A program; where one file serves under many names, all but the first become links. */
  program(path: string, source: string): void {
    if (statsOf(source) === undefined) return;
    const real = realpathSync.native(source);
    const first = this.#programs.get(real) ?? path;
    this.#programs.set(real, first);
    if (first === path) this.file(path, real);
    else this.link(path, first);
  }

  async directory(root: string, isSkipped: (path: string) => boolean): Promise<void> {
    if (statsOf(root)?.isDirectory() !== true) return;
    for await (const { path, type } of walk(root, isSkipped)) {
      const at = join(root, path);
      const target = type === "link" ? readlinkSync(at) : undefined;
      const isInside =
        target !== undefined &&
        !target.startsWith("/") &&
        !relative(root, join(dirname(at), target)).startsWith("..");
      if (isInside) this.link(at, target);
      else if (type !== "directory") this.file(at, at);
    }
  }

  /** The files that may ask for shared libraries. */
  linkedFiles(): string[] {
    const programs = new Set(this.#programs.keys());
    return this.entries().flatMap((entry) =>
      "source" in entry && (programs.has(entry.source) || /\.so(?:\.|$)/.test(entry.path))
        ? [entry.source]
        : [],
    );
  }

  entries(): RecipeEntry[] {
    return [...this.#entries.values()];
  }

  /** As {@link digest}, of a further file of the host too. */
  digestWith(path: string): string {
    const { mtimeMs, size } = statsOf(path) ?? {};
    return createHash("sha256").update(`${this.digest()} ${mtimeMs} ${size}`).digest("hex");
  }

  digest(): string {
    const hash = createHash("sha256").update(`runlet default image ${recipeVersion}\n`);
    for (const entry of this.entries().sort((a, b) => (a.path < b.path ? -1 : 1))) {
      const { mtime, ...rest } = "source" in entry ? entry : { ...entry, mtime: new Date(0) };
      hash.update(`${JSON.stringify([rest, mtime.getTime()])}\n`);
    }
    return hash.digest("hex");
  }
}

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // What cannot be read is left out as what is not there.
    return undefined;
  }
}
