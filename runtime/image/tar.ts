import { once } from "node:events";
import { createReadStream } from "node:fs";
import { Parser, type ReadEntry } from "tar";
import { untilAborted } from "../deadline.ts";
import { messageOf, RunletError } from "../errors.ts";
import { refusedEntry } from "./rooted-path.ts";
import type { Tree } from "./tree.ts";

const whiteout = ".wh.";
const opaque = ".wh..wh..opq";

/**
 * Unpacks a tar file, plain or compressed with gzip or zstd, into a tree. As a `layer` it may also take
 * away what layers before it put there. Devices, sockets and pipes are left out.
 * @throws `invalid_argument` if the file is damaged, not a tar, or has an entry that leaves the root.
 */
export async function unpackTar(
  file: string,
  tree: Tree,
  options: { as: "files" | "layer"; signal: AbortSignal },
): Promise<void> {
  const take = options.as === "layer" ? takeOfLayer : takeFile;
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  let work = Promise.resolve();
  const handle = async (earlier: Promise<void>, entry: ReadEntry): Promise<void> => {
    await earlier;
    signal.throwIfAborted();
    await take(tree, entry, signal);
    entry.resume();
  };
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      work = handle(work, entry);
      work.catch((error: unknown) => stop.abort(error));
    },
  });
  parser.on("error", (error: unknown) => {
    stop.abort(notReadable(error));
  });
  try {
    await feed(parser, file, signal);
    await untilAborted(work, signal);
  } catch (error) {
    // The abort comes with the first cause; what is thrown here may be no more than its echo.
    stop.abort(error);
    await work.catch(() => undefined);
    throw signal.reason;
  }
}

async function feed(parser: Parser, file: string, signal: AbortSignal): Promise<void> {
  for await (const chunk of createReadStream(file, { signal })) {
    const isReady = parser.write(chunk as Buffer);
    signal.throwIfAborted();
    if (!isReady) await untilAborted(once(parser, "drain"), signal);
  }
  const ended = once(parser, "end");
  ended.catch(() => undefined);
  parser.end();
  await untilAborted(ended, signal);
}

async function takeFile(tree: Tree, entry: ReadEntry, signal: AbortSignal): Promise<void> {
  const { path, type } = entry;
  const stats = { mode: entry.mode ?? 0o644, mtime: entry.mtime ?? new Date(0) };
  if (type === "Directory") await tree.directory(path, stats.mode);
  else if (type === "SymbolicLink") await tree.link(path, entry.linkpath ?? "");
  else if (type === "Link") await tree.hardLink(path, entry.linkpath ?? "");
  else if (type === "File" || type === "OldFile" || type === "ContiguousFile") {
    await tree.file(path, bytesOf(entry, signal), stats);
  }
}

async function takeOfLayer(tree: Tree, entry: ReadEntry, signal: AbortSignal): Promise<void> {
  const cut = entry.path.lastIndexOf("/") + 1;
  const [directory, name] = [entry.path.slice(0, cut), entry.path.slice(cut)];
  if (!name.startsWith(whiteout)) await takeFile(tree, entry, signal);
  else if (name === opaque) await tree.clear(directory);
  else await tree.remove(whitedOut(entry.path, directory, name));
}

/** An entry's bytes. An entry that is cut short never ends, so that the signal has to end the wait for it. */
async function* bytesOf(entry: ReadEntry, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const chunks = entry[Symbol.asyncIterator]();
  for (;;) {
    const next = await untilAborted(chunks.next(), signal);
    if (next.done === true) return;
    yield next.value;
  }
}

function whitedOut(path: string, directory: string, name: string): string {
  const hidden = name.slice(whiteout.length);
  if (hidden === "" || hidden === ".") throw refusedEntry(path, "it hides nothing");
  return directory + hidden;
}

function notReadable(cause: unknown): RunletError {
  return new RunletError("invalid_argument", `Cannot read the archive: ${messageOf(cause)}`, {
    cause,
  });
}
