import { isUtf8 } from "node:buffer";
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { create } from "tar";

export interface TarOptions {
  gzip?: boolean;
  portable?: boolean;
  /** Which paths are taken; they begin with `./`. */
  filter?: (path: string) => boolean;
  /** Told of what no archive takes, and why not. */
  onLeftOut: (path: string, reason: string) => void;
}

/**
 * What a directory of this machine holds as a tar: its directories, files and links.
 * @throws the error of a directory or a file that cannot be read.
 */
export async function* tarOf(
  directory: string,
  { onLeftOut, filter = () => true, ...options }: TarOptions,
): AsyncGenerator<Uint8Array> {
  const cwd = resolve(directory);
  const paths = ["."];
  // The archiver would wait for what it does not take for ever, and look for a name that it cannot spell.
  for await (const path of entriesBelow(cwd, ".", { onLeftOut, filter })) paths.push(path);
  const pack = create({ ...options, cwd, noDirRecurse: true }, paths);
  // What fails after the first failure has nobody to tell.
  pack.on("error", () => undefined);
  yield* pack;
}

/** Each directory before what it holds. */
async function* entriesBelow(
  root: string,
  parent: string,
  options: Required<Pick<TarOptions, "onLeftOut" | "filter">>,
): AsyncGenerator<string> {
  const entries = await readdir(join(root, parent), { withFileTypes: true, encoding: "buffer" });
  for (const entry of entries) {
    const path = `${parent}/${entry.name.toString()}`;
    if (!options.filter(path)) continue;
    const reason = reasonAgainst(entry);
    if (reason !== undefined) {
      options.onLeftOut(path, reason);
      continue;
    }
    yield path;
    if (entry.isDirectory()) yield* entriesBelow(root, path, options);
  }
}

function reasonAgainst(entry: Dirent<Buffer>): string | undefined {
  if (!isUtf8(entry.name)) return "its name is no UTF-8";
  if (entry.isFile() || entry.isDirectory() || entry.isSymbolicLink()) return undefined;
  return "it is no file, directory or link";
}
