import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** One thing that a walk came upon; symbolic links are told and never followed. */
export interface WalkEntry {
  /** Relative to where the walk began. */
  readonly path: string;
  readonly type: "directory" | "file" | "link";
}

/** Every directory, file and link below `root`, parents first, but nothing that `isSkipped` names. */
export async function* walk(
  root: string,
  isSkipped: (path: string) => boolean = () => false,
  below = "",
): AsyncGenerator<WalkEntry> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  for (const entry of entries) {
    const path = join(below, entry.name);
    if (isSkipped(path)) continue;
    if (entry.isSymbolicLink()) yield { path, type: "link" };
    else if (entry.isFile()) yield { path, type: "file" };
    else if (entry.isDirectory()) {
      yield { path, type: "directory" };
      yield* walk(root, isSkipped, path);
    }
  }
}
