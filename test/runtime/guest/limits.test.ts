import assert from "node:assert/strict";
import { test } from "node:test";
import type { Exit } from "../../../runtime/container/exit.ts";
import { Guest } from "../../../runtime/guest/guest.ts";
import type { Reply } from "../../../runtime/guest/reply.ts";
import { ImageStore } from "../../../runtime/image/image-store.ts";
import { Machine } from "../../../runtime/machine.ts";
import { cgroupsOf } from "../../support/sandboxes.ts";
import { tempDir } from "../../support/temp-dir.ts";

const mebibyte = 1024 * 1024;

/** A handler that takes as many MiB as its event says. */
const takers = {
  node: {
    path: "index.mjs",
    source: "export const handler = (n) => Buffer.alloc(n * 2 ** 20, 1).length;",
  },
  python: {
    path: "main.py",
    source: "def handler(n, context):\n    return len(b'x' * (n * 2 ** 20))\n",
  },
};

for (const runtime of ["node", "python"] as const) {
  test(`a ${runtime} guest from stock works within the least limits, and is ended past them`, async () => {
    await using dir = await tempDir();
    await using machine = await Machine.open({ stateDir: dir.file("s"), runsc: "runsc" });
    assert.deepEqual(machine.missingLimits, []);
    const image = await new ImageStore({ directory: dir.file("images") }).get("host");
    const guest = await Guest.start(machine, { runtime, image, tmpBytes: mebibyte, pids: 32 });
    await using _guest = guest;
    await guest.ready();
    await guest.warmUp();
    guest.limit({ memoryBytes: 32 * mebibyte, cpus: 0.5 });
    const { path, source } = takers[runtime];
    const body = Buffer.from(source);
    const loaded = await guest.load({
      files: [{ path, mode: 0o644, size: body.length }],
      body,
      env: {},
      functionName: "taker",
      functionVersion: "1",
      memoryBytes: 32 * mebibyte,
    });
    assert.equal(loaded.kind, "answered");
    const small = await take(guest, 8);
    assert.equal(small.kind, "answered");
    assert.equal(exitOf(await take(guest, 256))?.reason, "oom");
    assert.notDeepEqual(cgroupsOf(guest.init.id), []);
    await guest.finish();
    assert.deepEqual(cgroupsOf(guest.init.id), []);
  });
}

async function take(guest: Guest, mebibytes: number): Promise<Reply<unknown>> {
  const body = Buffer.from(String(mebibytes));
  return await guest.invoke({ id: `take-${mebibytes}`, deadlineAtMs: Date.now() + 60_000, body });
}

function exitOf(reply: Reply<unknown>): Exit | undefined {
  return reply.kind === "ended" ? reply.exit : undefined;
}
