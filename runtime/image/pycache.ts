import { open, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { walk } from "./walk.ts";

const cachePattern = /(?:^|\/)__pycache__\/([^/]+?)\.[^/.]+-\d+(?:\.opt-\d)?\.pyc$/;
const headerBytes = 16;
const isUncheckedHash = 1;

/**
 * Makes Python's caches hold without the time of their sources, which an EROFS file does not keep: every
 * cache that belongs to its source as the tree stands is marked as one that is not to be compared with it.
 */
export async function detachPycache(tree: string, signal: AbortSignal): Promise<void> {
  for await (const { path, type } of walk(tree)) {
    signal.throwIfAborted();
    const module = type === "file" ? cachePattern.exec(path)?.[1] : undefined;
    if (module === undefined) continue;
    await detach(join(tree, path), join(tree, dirname(dirname(path)), `${module}.py`));
  }
}

async function detach(cache: string, source: string): Promise<void> {
  const stats = await stat(source).catch(() => undefined);
  if (stats === undefined) return;
  await using handle = await open(cache, "r+");
  const header = Buffer.alloc(headerBytes);
  const { bytesRead } = await handle.read(header, 0, headerBytes, 0);
  const isByTime = bytesRead === headerBytes && header.readUInt32LE(4) === 0;
  const seconds = Math.floor(stats.mtimeMs / 1000) >>> 0;
  if (!isByTime || header.readUInt32LE(8) !== seconds || header.readUInt32LE(12) !== stats.size) {
    return;
  }
  header.writeUInt32LE(isUncheckedHash, 4);
  header.fill(0, 8);
  await handle.write(header, 0, headerBytes, 0);
}
