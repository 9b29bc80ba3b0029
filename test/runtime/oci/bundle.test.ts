import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Bundle } from "../../../runtime/oci/bundle.ts";
import { buildSpec } from "../../../runtime/oci/spec.ts";

test("a bundle is a private directory with the spec in it, until it is disposed", async () => {
  const parent = await mkdtemp(join(tmpdir(), "runlet-test-"));
  try {
    const spec = buildSpec();
    const bundle = Bundle.create(parent, "one", spec);
    assert.equal(bundle.path, join(parent, "one"));
    assert.equal(bundle.file("init.pid"), join(parent, "one", "init.pid"));
    assert.deepEqual(JSON.parse(await readFile(bundle.file("config.json"), "utf8")), spec);
    assert.equal((await stat(bundle.path)).mode & 0o777, 0o700);
    assert.equal((await stat(bundle.file("config.json"))).mode & 0o777, 0o600);
    assert.throws(() => Bundle.create(parent, "one", spec), { code: "EEXIST" });
    bundle[Symbol.dispose]();
    bundle[Symbol.dispose]();
    assert.deepEqual(await readdir(parent), []);
  } finally {
    await rm(parent, { recursive: true });
  }
});
