import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import { DataDirectoryLockedError, lockDataDirectory } from "../../store/lock.ts";
import { ChildProgram, storeModule } from "./child.ts";
import { TempDirectory } from "./temp-directory.ts";

const holder = `
  import { lockDataDirectory } from ${JSON.stringify(storeModule("lock.ts"))};
  globalThis.lock = lockDataDirectory(process.argv.at(-1));
  console.log("locked");
  setInterval(() => {}, 60_000);
`;

test("a directory that is missing is made and locked", () => {
  using parent = new TempDirectory();
  const directory = parent.file("deep/data");
  using _lock = lockDataDirectory(directory);
  assert.equal(existsSync(directory), true);
});

test("a second lock of the same process is refused, and granted after the first is released", () => {
  using directory = new TempDirectory();
  const first = lockDataDirectory(directory.path);
  assert.throws(
    () => lockDataDirectory(directory.path),
    (error) => {
      assert.ok(error instanceof DataDirectoryLockedError);
      assert.equal(error.holderPid, process.pid);
      assert.equal(error.directory, directory.path);
      return true;
    },
  );
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  using _second = lockDataDirectory(directory.path);
});

test("a refused attempt, and reading who holds it, do not loosen the lock", () => {
  using directory = new TempDirectory();
  using _lock = lockDataDirectory(directory.path);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    assert.throws(() => lockDataDirectory(directory.path), DataDirectoryLockedError);
  }
});

test("two directories are locked independently", () => {
  using one = new TempDirectory();
  using two = new TempDirectory();
  using _first = lockDataDirectory(one.path);
  using _second = lockDataDirectory(two.path);
});

test("a lock that another process holds is refused with its pid and is free once that is killed", async () => {
  using directory = new TempDirectory();
  await using child = new ChildProgram(holder, [directory.path]);
  for await (const line of child.output) {
    assert.equal(line, "locked\n");
    break;
  }
  assert.throws(
    () => lockDataDirectory(directory.path),
    (error) => {
      assert.ok(error instanceof DataDirectoryLockedError);
      assert.equal(error.holderPid, child.pid);
      assert.match(error.message, new RegExp(`: process ${child.pid} serves it already`));
      return true;
    },
  );
  child.kill();
  const lock = await poll("take the lock of a killed process", () => tryLock(directory.path), {
    timeoutMs: 10_000,
  });
  lock[Symbol.dispose]();
});

test("a holder whose pid is not to be trusted is not named", () => {
  using directory = new TempDirectory();
  using _lock = lockDataDirectory(directory.path);
  for (const text of ["", "nonsense", "4194999"]) {
    writeFileSync(directory.file("lock.pid"), text);
    assert.throws(() => lockDataDirectory(directory.path), {
      holderPid: undefined,
      message: /: another process serves it already\. Stop that server, or choose another/,
    });
  }
});

function tryLock(path: string): Disposable | undefined {
  try {
    return lockDataDirectory(path);
  } catch (error) {
    if (error instanceof DataDirectoryLockedError) return undefined;
    throw error;
  }
}
