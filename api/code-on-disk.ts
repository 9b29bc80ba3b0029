import { mkdtemp, rm } from "node:fs/promises";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { CodeStore } from "../store/code-store.ts";
import { RunletError } from "./domain/errors.ts";
import type { CodeFile, CodeRepository, ScratchCode } from "./domain/ports.ts";

/** The code store as the domain wants it: paths that are not safe are the caller's mistake. */
export function codeRepository(store: CodeStore): CodeRepository {
  return {
    put: async (files) => await putSafely(store, files),
    path: (digest) => store.path(digest),
    async read(digest) {
      const files = await store.read(digest);
      if (files !== undefined) return files;
      throw new RunletError("internal", `Cannot read code ${digest}: it is gone from the disk`);
    },
  };
}

/** Puts code under `parent`, each time into a store of its own that goes with it. */
export function scratchCode(parent: string): ScratchCode {
  return async (files) => {
    const directory = await mkdtemp(join(parent, "run-"));
    const dispose = async (): Promise<void> =>
      await rm(directory, { recursive: true, force: true });
    try {
      // Guests read it as a user of their own.
      await chmod(directory, 0o711);
      const store = new CodeStore(directory);
      const digest = await putSafely(store, files);
      return {
        path: store.path(digest),
        async [Symbol.asyncDispose](): Promise<void> {
          await store.delete(digest);
          await dispose();
        },
      };
    } catch (error) {
      await dispose();
      throw error;
    }
  };
}

async function putSafely(store: CodeStore, files: readonly CodeFile[]): Promise<string> {
  try {
    return await store.put(files);
  } catch (cause) {
    if (!(cause instanceof Error) || cause.name !== "UnsafePathError") throw cause;
    throw new RunletError("invalid_argument", `Cannot take the code: ${cause.message}`, { cause });
  }
}
