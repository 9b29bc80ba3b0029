import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compose,
  withEnv,
  withErofsRoot,
  withMount,
  withPids,
  withProcess,
  withReadOnlyBind,
  withRootDirectory,
  withTask,
  withTmpfs,
} from "../../../runtime/oci/spec-options.ts";
import { buildSpec, defaultSpec, guestUser } from "../../../runtime/oci/spec.ts";

test("the default is the least: not root, no capability, no new privileges, read-only, own network", () => {
  const { process, root, linux } = buildSpec();
  assert.deepEqual(process.user, { uid: guestUser.uid, gid: guestUser.gid });
  assert.notEqual(process.user.uid, 0);
  assert.deepEqual(Object.values(process.capabilities).flat(), []);
  assert.equal(process.noNewPrivileges, true);
  assert.equal(root.readonly, true);
  const namespaces = linux.namespaces.map(({ type, path }) => [type, path]);
  for (const type of ["pid", "ipc", "uts", "mount", "network"]) {
    assert.ok(
      namespaces.some(([own, path]) => own === type && path === undefined),
      type,
    );
  }
});

test("options are applied in order and leave the default as it was", () => {
  const before = structuredClone(defaultSpec);
  const spec = buildSpec(
    withProcess({ args: ["one"], cwd: "/" }),
    compose(withProcess({ args: ["two"] }), withRootDirectory("/srv")),
  );
  assert.deepEqual([spec.process.args, spec.process.cwd], [["two"], "/"]);
  assert.deepEqual(spec.root, { path: "/srv", readonly: true });
  assert.deepEqual(defaultSpec, before);
});

test("a variable of a later option takes the place of an earlier one of that name, and of no other", () => {
  const spec = buildSpec(withEnv({ A: "1", AB: "2", EQ: "x=y" }), withEnv({ A: "3", B: "" }));
  assert.deepEqual([...spec.process.env].sort(), ["A=3", "AB=2", "B=", "EQ=x=y"]);
});

test("an EROFS root is named by annotations beside its mount point", () => {
  const spec = buildSpec(withErofsRoot("/images/node.erofs", "/empty"));
  assert.deepEqual(spec.root, { path: "/empty", readonly: true });
  assert.deepEqual(spec.annotations, {
    "dev.gvisor.spec.rootfs.source": "/images/node.erofs",
    "dev.gvisor.spec.rootfs.type": "erofs",
  });
});

test("mounts follow those of the default: a bounded tmpfs, read-only binds, the task", () => {
  const extra = { destination: "/x", type: "tmpfs", source: "tmpfs" };
  const spec = buildSpec(
    withTmpfs("/tmp", 1_000_000),
    withReadOnlyBind("/etc/ssl", "/ssl"),
    withTask("/code"),
    withMount(extra),
  );
  const added = spec.mounts.slice(defaultSpec.mounts.length);
  assert.deepEqual(spec.mounts.slice(0, defaultSpec.mounts.length), defaultSpec.mounts);
  assert.deepEqual(
    added.map(({ destination, source }) => [destination, source]),
    [
      ["/tmp", "tmpfs"],
      ["/ssl", "/etc/ssl"],
      ["/var/task", "/code"],
      ["/x", "tmpfs"],
    ],
  );
  assert.ok(added[0]?.options?.includes("size=1000000"));
  for (const bind of added.slice(1, 3)) assert.ok(bind.options?.includes("ro"));
  for (const mount of added.slice(0, 3)) assert.ok(mount.options?.includes("nodev"));
});

test("a bound on processes joins the other limits, and the kernel takes the sandbox first", () => {
  const { rlimits, oomScoreAdj } = buildSpec(withPids(20)).process;
  assert.deepEqual(rlimits.slice(0, -1), defaultSpec.process.rlimits);
  assert.deepEqual(rlimits.at(-1), { type: "RLIMIT_NPROC", soft: 20, hard: 20 });
  assert.equal(oomScoreAdj, 1000);
});
