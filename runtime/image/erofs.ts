import { execa } from "execa";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { RunletError } from "../errors.ts";

/**
 * The one form that is known to run: runsc reads no compressed image, and its exec fails on data that is
 * kept inside an inode. Fixed times and a fixed UUID make equal trees equal files.
 */
const formArgs = [
  "--quiet",
  "-Enoinline_data",
  "-T0",
  "--all-root",
  "-U00000000-0000-4000-8000-000000000000",
];

/**
 * Packs a directory as an EROFS file and waits until the file is on disk; answers its size in bytes.
 * @throws `unavailable` if `tool` is not installed, `runtime_failed` if it fails.
 */
export async function packErofs(
  tool: string,
  tree: string,
  file: string,
  signal: AbortSignal,
): Promise<number> {
  const result = await execa(tool, [...formArgs, file, tree], {
    reject: false,
    all: true,
    cancelSignal: signal,
    forceKillAfterDelay: 1_000,
  });
  signal.throwIfAborted();
  if (result.code === "ENOENT") {
    throw new RunletError(
      "unavailable",
      `Cannot pack an image: ${tool} is not installed. Run \`apt-get install erofs-utils\`, or use the image "host", which works without`,
    );
  }
  if (result.failed) {
    const said = result.all.trim().split("\n").at(-1) || result.shortMessage;
    throw new RunletError("runtime_failed", `Cannot pack an image: ${said}`);
  }
  await using handle = await open(file, "r");
  await handle.sync();
  return (await handle.stat()).size;
}

/** SHA-256 of a file, in hexadecimal. */
export async function digestOfFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash, { signal });
  return hash.digest("hex");
}
