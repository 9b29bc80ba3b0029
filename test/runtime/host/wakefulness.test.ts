import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { poll } from "../../../runtime/deadline.ts";
import { checkWakefulness, Wakefulness } from "../../../runtime/host/wakefulness.ts";
import { notePassed } from "../../../runtime/passed-bytes.ts";
import { hasOpen } from "../../support/descriptors.ts";
import { tempDir } from "../../support/temp-dir.ts";

const restMs = 20;
/** Longer than a busy machine lets anybody wait for a turn. */
const longRestMs = 500;
const youngMs = 500;

interface Setting extends AsyncDisposable {
  readonly files: { request: string; driver: string };
  isHeld(): boolean;
  released(): Promise<void>;
}

/** A file to ask in, and one that names what the processors idle by. */
async function setting(driver = "haltpoll"): Promise<Setting> {
  const dir = await tempDir();
  const files = { request: dir.file("request"), driver: dir.file("driver") };
  await writeFile(files.request, "");
  await writeFile(files.driver, `${driver}\n`);
  const isHeld = (): boolean => hasOpen(process.pid, files.request);
  const isFree = (): true | undefined => !isHeld() || undefined;
  return {
    files,
    isHeld,
    released: async () => {
      await poll("see it end", isFree, { timeoutMs: 20_000, intervalMs: 5 });
    },
    [Symbol.asyncDispose]: async () => await dir[Symbol.asyncDispose](),
  };
}

test("a request is asked for no time to wake up, and the file is closed soon after its end", async () => {
  await using it = await setting();
  using wakefulness = new Wakefulness(restMs, it.files);
  assert.ok(!it.isHeld());
  const end = wakefulness.begin();
  assert.ok(it.isHeld());
  assert.deepEqual(await readFile(it.files.request), Buffer.alloc(4));
  end();
  await it.released();
  const endAgain = wakefulness.begin();
  assert.ok(it.isHeld());
  endAgain();
  await it.released();
});

test("a request that goes on holds for half a second, and another after it for its own", async () => {
  await using it = await setting();
  using wakefulness = new Wakefulness(restMs, it.files);
  const begunAtMs = performance.now();
  wakefulness.begin();
  await sleep(youngMs / 2);
  wakefulness.begin();
  await it.released();
  const heldMs = performance.now() - begunAtMs;
  // Timers may be early by a part of a millisecond.
  assert.ok(heldMs >= youngMs * 1.5 - 5, `${heldMs} ms`);
});

test("a transfer holds for as long as it goes on, and what trickles does not", async () => {
  await using it = await setting();
  using wakefulness = new Wakefulness(longRestMs, it.files);
  wakefulness.begin()();
  const endsAtMs = performance.now() + 3 * longRestMs;
  while (performance.now() < endsAtMs) {
    notePassed(65_536);
    await sleep(1);
  }
  assert.ok(it.isHeld());
  const trickle = setInterval(() => notePassed(1), 5);
  await it.released();
  clearInterval(trickle);
});

test("who is disposed of holds no longer, and harms nothing when it is again", async () => {
  await using it = await setting();
  const wakefulness = new Wakefulness(restMs, it.files);
  wakefulness.begin();
  wakefulness[Symbol.dispose]();
  assert.ok(!it.isHeld());
  wakefulness[Symbol.dispose]();
});

for (const [where, driver, ms] of [
  ["where processors tell how long they need", "intel_idle", restMs],
  ["by a server that is not to", "haltpoll", 0],
] as const) {
  test(`nothing is asked for ${where}`, async () => {
    await using it = await setting(driver);
    using wakefulness = new Wakefulness(ms, it.files);
    wakefulness.begin()();
    assert.ok(!it.isHeld());
  });
}

test("a machine without the file takes requests as any other", () => {
  using wakefulness = new Wakefulness(restMs, { request: "/no/file", driver: "/no/driver" });
  wakefulness.begin()();
});

for (const [driver, request, status] of [
  ["haltpoll", "there", "ok"],
  ["haltpoll", "missing", "warning"],
  ["intel_idle", "missing", "ok"],
] as const) {
  test(`${driver} with its file ${request} is ${status}`, async () => {
    await using it = await setting(driver);
    const file = request === "there" ? it.files.request : "/no/file";
    const check = checkWakefulness({ ...it.files, request: file });
    assert.equal(check.status, status);
    assert.equal(check.advice?.includes("--device /no/file"), status === "warning" || undefined);
  });
}
