import { lstat, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Tree } from "./tree.ts";
import { walk } from "./walk.ts";

/** Copies what a directory of the host holds into a tree; links stay links, devices are left out. */
export async function copyDirectory(
  source: string,
  tree: Tree,
  signal: AbortSignal,
): Promise<void> {
  for await (const { path, type } of walk(source)) {
    signal.throwIfAborted();
    const from = join(source, path);
    const stats = await lstat(from);
    if (type === "link") await tree.link(path, await readlink(from));
    else if (type === "directory") await tree.directory(path, stats.mode);
    else await tree.copy(path, from, stats);
  }
}
