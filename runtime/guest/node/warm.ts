import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadMessage } from "../messages.ts";
import { callHandler } from "./call.ts";
import { loadHandler } from "./handler.ts";
import { writeTask } from "./task.ts";

const rounds = 3;

/** Loads and calls small handlers of its own; leaves nothing behind, and does without where /tmp is read-only. */
export async function warmUp(): Promise<void> {
  try {
    const root = mkdtempSync(join(tmpdir(), "warm-"));
    try {
      await loadAndCall(root, "index.mjs", "export const handler = async (event) => event;");
      await loadAndCall(root, "index.cjs", "exports.handler = async (event) => event;");
      process.chdir(process.cwd());
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  } catch {
    // The first load is slower then.
  }
}

async function loadAndCall(root: string, path: string, source: string): Promise<void> {
  const body = Buffer.from(source);
  const files = [{ path, mode: 0o644, size: body.length }];
  writeTask(root, files, body);
  const handler = await loadHandler(root, files, undefined);
  const about = { functionName: "", functionVersion: "", memoryBytes: 0, env: {} };
  const load: LoadMessage = { type: "load", files, ...about };
  for (let round = 0; round < rounds; round++) {
    const invoke = { type: "invoke", id: "", deadlineAtMs: 0 } as const;
    await callHandler({ load, handler }, invoke, Buffer.from('{"a":1}'));
  }
}
