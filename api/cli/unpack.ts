import { once } from "node:events";
import { lstat, mkdir, realpath, rm, symlink } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { type ReadEntry, Unpack } from "tar";

/** Told of what is not unpacked, and why not. */
export type OnLeftOut = (path: string, reason: string) => void;

/** They are kept in memory until all else stands. */
const maxLinks = 100_000;
/** An archive is filled up to a whole number of blocks; what comes beyond that is not read. */
const maxPaddingBytes = 1024 * 1024;
const types = new Set(["File", "OldFile", "ContiguousFile", "Directory", "Link", "SymbolicLink"]);

/**
 * Makes of a tar that nobody vouches for what it holds, below a directory and nowhere else, for the account that we
 * are: no link leads out, no file runs with the rights of another.
 * @throws Error if it is damaged, or if something cannot be written.
 */
export async function unpackInto(
  directory: string,
  archive: AsyncIterable<Uint8Array>,
  onLeftOut: OnLeftOut,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const root = await realpath(directory);
  const links = new Map<string, string>();
  const take = (path: string, entry: ReadEntry): boolean => {
    const reason = reasonAgainst(path, entry);
    if (reason !== undefined) onLeftOut(path, reason);
    if (reason !== undefined || entry.type !== "SymbolicLink") return reason === undefined;
    links.set(posix.normalize(path), entry.linkpath ?? "");
    if (links.size <= maxLinks) return false;
    throw new Error(`Cannot unpack into ${directory}: there are more than ${maxLinks} links`);
  };
  const unpack = new Unpack({
    cwd: root,
    strict: true,
    preserveOwner: false,
    // Nobody compresses it but whoever wants it to burst here.
    maxDecompressionRatio: 1,
    filter: (path, entry) => take(path, entry as ReadEntry),
  });
  try {
    await feed(unpack, archive);
  } catch (cause) {
    if (!("tarCode" in (cause as object))) throw cause;
    const fact = (cause as Error).message;
    throw new Error(`Cannot unpack into ${directory}: ${fact}`, { cause });
  }
  // Last, so that nothing is written through one.
  for (const [path, target] of links) await link(root, path, target, onLeftOut);
}

async function feed(unpack: Unpack, archive: AsyncIterable<Uint8Array>): Promise<void> {
  const over = Promise.withResolvers<void>();
  let [hasFailed, hasEnded, isEmpty] = [false, false, true];
  over.promise.catch(() => {
    hasFailed = true;
  });
  unpack.on("error", over.reject).on("end", over.resolve);
  unpack.on("entry", () => (isEmpty = false)).on("ignoredEntry", () => (isEmpty = false));
  unpack.on("eof", () => (hasEnded = true));
  let paddingBytes = 0;
  for await (const chunk of archive) {
    // What follows its end would be kept in memory.
    if (hasEnded) paddingBytes += chunk.byteLength;
    else if (!unpack.write(Buffer.from(chunk))) {
      await Promise.race([once(unpack, "drain"), over.promise]);
    }
    if (hasFailed || paddingBytes > maxPaddingBytes) break;
  }
  // One of nothing is taken for a damaged one.
  if (hasEnded && isEmpty) return;
  unpack.end();
  await over.promise;
}

function reasonAgainst(path: string, entry: ReadEntry): string | undefined {
  const { type, linkpath = "" } = entry;
  if (isOutside(path)) return "it would stand outside";
  if (!types.has(type)) return "it is no file, directory or link";
  if (path.includes("\uFFFD")) return "its name is no UTF-8";
  if (type === "SymbolicLink" && !staysInside(path, linkpath))
    return `it leads out, to ${linkpath}`;
  if (type === "Link" && isOutside(linkpath)) return `it is ${linkpath}, which is outside`;
  // What a stranger made shall not be run as the owner of the copy.
  entry.mode = (entry.mode ?? 0o644) & 0o777;
  return undefined;
}

function isOutside(path: string): boolean {
  return path.startsWith("/") || path.split("/").includes("..");
}

/** Whether a link leads to below the root, whatever links its target passes: it goes up at its beginning alone. */
function staysInside(path: string, target: string): boolean {
  const depth = posix.normalize(path).split("/").length - 1;
  const steps = target.split("/").filter((step) => step !== "." && step !== "");
  const down = steps.findIndex((step) => step !== "..");
  const up = down < 0 ? steps.length : down;
  return !target.startsWith("/") && up <= depth && !steps.slice(up).includes("..");
}

async function link(
  root: string,
  path: string,
  target: string,
  onLeftOut: OnLeftOut,
): Promise<void> {
  const at = join(root, path);
  const parent = await realpath(dirname(at)).catch(() => undefined);
  if (parent !== dirname(at)) return onLeftOut(path, "what it stands in is no directory");
  const there = await lstat(at).catch(() => undefined);
  if (there?.isDirectory()) return onLeftOut(path, "a directory stands there");
  await rm(at, { force: true });
  await symlink(target, at);
}
