import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What every directory, process, mount and cgroup of a test bears in its name or path. */
export const testPrefix = "runlet-test-";

/** A directory of one test; disposing it removes it with all that is in it. */
export interface TempDir extends AsyncDisposable {
  readonly path: string;
  /** A path inside. */
  file(...names: string[]): string;
}

/** Makes a directory for one test: `await using dir = await tempDir()`. */
export async function tempDir(): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), testPrefix));
  return {
    path,
    file: (...names) => join(path, ...names),
    [Symbol.asyncDispose]: async () => {
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
