import { stat } from "node:fs/promises";
import { messageOf, RunletError } from "../errors.ts";
import { guestUser } from "../oci/spec.ts";
import { copyDirectory } from "./directory.ts";
import { furnish } from "./furnish.ts";
import { defaultEnv } from "./image.ts";
import { applyOciArchive, isOciArchive } from "./oci-archive.ts";
import { detachPycache } from "./pycache.ts";
import type { OnProgress } from "./progress.ts";
import type { Staging } from "./staging.ts";
import { unpackTar } from "./tar.ts";
import { Tree } from "./tree.ts";

/** Where an image comes from; `auto` looks at what stands at the path. */
export interface ImageSource {
  readonly kind: "directory" | "tar" | "oci-archive" | "auto";
  readonly path: string;
}

/** What an added image may measure at most, unpacked; 8 GiB unless the caller says otherwise. */
export const defaultMaxBytes = 8 * 2 ** 30;
const maxEntries = 1_000_000;

/** A root file system on the host that is ready to be packed. */
export interface StagedTree {
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Makes a root file system of a directory, a tar or an OCI archive, none of which is trusted.
 * @throws `invalid_argument` for a source that cannot be used, `payload_too_large` past `maxBytes`.
 */
export async function stageSource(
  source: ImageSource,
  staging: Staging,
  options: { maxBytes: number; onProgress: OnProgress; signal: AbortSignal },
): Promise<StagedTree> {
  const { signal, maxBytes, onProgress } = options;
  const limits = { maxBytes, maxEntries };
  const grow = async (name: string, phase: string): Promise<Tree> =>
    new Tree(await staging.directory(name), limits, (doneBytes) => {
      onProgress({ phase, doneBytes, totalBytes: undefined });
    });
  try {
    const raw = await grow("source", "reading");
    await readSource(source, raw, signal);
    const isArchive =
      source.kind === "oci-archive" || (source.kind === "auto" && (await isOciArchive(raw)));
    const tree = isArchive ? await grow("tree", "applying layers") : raw;
    const asked = isArchive ? await applyOciArchive(raw, tree, signal) : {};
    await furnish(tree);
    await detachPycache(tree.root, signal);
    return { root: tree.root, env: { ...defaultEnv, ...asked, HOME: guestUser.home } };
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof RunletError ? error : cannotRead(source.path, error);
  }
}

async function readSource(source: ImageSource, tree: Tree, signal: AbortSignal): Promise<void> {
  const isDirectory = (await stat(source.path)).isDirectory();
  if (source.kind !== "auto" && isDirectory !== (source.kind === "directory")) {
    throw new RunletError(
      "invalid_argument",
      `Cannot read ${source.path}: it is ${isDirectory ? "a directory" : "not a directory"}`,
    );
  }
  if (isDirectory) await copyDirectory(source.path, tree, signal);
  else await unpackTar(source.path, tree, { as: "files", signal });
}

function cannotRead(path: string, cause: unknown): RunletError {
  const code = (cause as NodeJS.ErrnoException).code;
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  return new RunletError(
    isFull ? "resource_exhausted" : "invalid_argument",
    `Cannot make an image of ${path}: ${messageOf(cause)}`,
    { cause },
  );
}
