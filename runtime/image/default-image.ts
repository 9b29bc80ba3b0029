import { execa } from "execa";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { RunletError } from "../errors.ts";
import { furnish } from "./furnish.ts";
import { detachPycache } from "./pycache.ts";
import { compileModules } from "./python.ts";
import type { OnProgress } from "./progress.ts";
import type { Recipe } from "./recipe.ts";
import type { Staging } from "./staging.ts";
import { Tree } from "./tree.ts";

const noLimits = { maxBytes: Infinity, maxEntries: Infinity };

/** Makes the root file system of the default image; answers its directory. */
export async function stageDefault(
  recipe: Recipe,
  staging: Staging,
  options: { onProgress: OnProgress; signal: AbortSignal },
): Promise<string> {
  const { onProgress, signal } = options;
  const { totalBytes } = recipe;
  const tree = new Tree(await staging.directory("tree"), noLimits, (doneBytes) => {
    onProgress({ phase: "copying", doneBytes, totalBytes });
  });
  for (const entry of recipe.entries) {
    signal.throwIfAborted();
    if ("target" in entry) {
      if (entry.path.lastIndexOf("/") === 0) await tree.ensureDirectory(entry.target);
      await tree.link(entry.path, entry.target);
    } else await tree.copy(entry.path, entry.source, entry);
  }
  await tree.link("/etc/localtime", "/usr/share/zoneinfo/Etc/UTC");
  await tree.text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
  await tree.text("/etc/resolv.conf", "");
  await tree.text("/etc/ld.so.conf", `${recipe.libraryDirectories.join("\n")}\n`);
  await cacheLibraries(tree.root, signal);
  await furnish(tree);
  await detachPycache(tree.root, signal);
  await compileMissing(recipe, tree.root, signal);
  return tree.root;
}

/** Writes the dynamic linker's cache, which spares every program of the guest a search. */
async function cacheLibraries(root: string, signal: AbortSignal): Promise<void> {
  const result = await execa("/sbin/ldconfig", ["-X", "-r", root], {
    reject: false,
    cancelSignal: signal,
  });
  signal.throwIfAborted();
  // A libc without that cache has no such program either.
  if (result.failed && result.code !== "ENOENT") {
    throw new RunletError(
      "runtime_failed",
      `Cannot make the default image: ldconfig failed: ${result.stderr || result.shortMessage}`,
    );
  }
  await rm(join(root, "var/cache"), { recursive: true, force: true });
}

async function compileMissing(recipe: Recipe, root: string, signal: AbortSignal): Promise<void> {
  const { python } = recipe;
  if (python === undefined) return;
  const paths = new Set(recipe.entries.map((entry) => entry.path));
  const tag = `cpython-${python.version.replace(".", "")}`;
  const missing = [...paths].filter((path) => {
    if (!path.startsWith(python.standardLibrary) || !path.endsWith(".py")) return false;
    const cache = path.replace(/([^/]+)\.py$/, `__pycache__/$1.${tag}.pyc`);
    return !paths.has(cache);
  });
  await compileModules(python, root, missing, signal);
}
