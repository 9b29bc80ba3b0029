import assert from "node:assert/strict";
import { defaultSpec, type Spec } from "../../runtime/oci/spec.ts";
import type { Kind, SeenContainer, SeenProcess } from "./seen-container.ts";

const rights = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"];

/** What every container has, whatever it is for; a sandbox's agent is root inside, with six rights. */
export function assertLeast({ process: first, root, linux, mounts }: Spec, kind: Kind): void {
  const isAgent = kind === "agent";
  assert.deepEqual(first.user, isAgent ? { uid: 0, gid: 0 } : { uid: 1000, gid: 1000 }, kind);
  assert.equal(first.noNewPrivileges, true);
  assert.equal(first.terminal, false);
  const held = isAgent ? rights.map((right) => `CAP_${right}`) : [];
  const { bounding, effective, permitted, inheritable, ambient } = first.capabilities;
  assert.deepEqual({ bounding, effective, permitted }, all(held));
  assert.deepEqual([inheritable, ambient], [[], []]);
  assert.equal(root.readonly, !isAgent);
  for (const rlimit of defaultSpec.process.rlimits) {
    const same = first.rlimits.filter(({ type }) => type === rlimit.type);
    assert.deepEqual(same, [rlimit]);
  }
  assert.ok(isAgent || first.rlimits.some(({ type }) => type === "RLIMIT_NPROC"));
  assert.deepEqual(linux.maskedPaths, defaultSpec.linux.maskedPaths);
  assert.deepEqual(linux.readonlyPaths, defaultSpec.linux.readonlyPaths);
  assert.deepEqual(linux.namespaces, defaultSpec.linux.namespaces);
  for (const { type, options = [] } of mounts) {
    assert.ok(["proc", "tmpfs", "sysfs", "bind"].includes(type), type);
    if (type === "bind") assert.ok(options.includes("ro") && options.includes("nosuid"));
  }
}

function all(held: string[]): Record<string, string[]> {
  return { bounding: held, effective: held, permitted: held };
}

/** Those by number that runsc leaves what it starts: over files, SYS_CHROOT to the gofer, SYS_PTRACE to the sandbox. */
const mostRights = 0b1111_1111n | (1n << 18n) | (1n << 19n);

/** A process that runsc has started for a container can do little, and sees nothing of the host. */
export function assertShutIn({ status, shared }: SeenProcess, kind: Kind): void {
  assert.equal(status["NoNewPrivs"], "1", kind);
  assert.equal(status["Seccomp"], "2", kind);
  for (const name of ["CapPrm", "CapEff", "CapBnd"]) {
    const held = BigInt(`0x${status[name]}`);
    assert.equal(held & ~mostRights, 0n, `${kind}: ${name} ${status[name]}`);
  }
  for (const name of ["ipc", "mnt", "net", "user", "uts"]) {
    assert.ok(!shared.includes(name), `${kind} shares ${name}`);
  }
}

/** The sandbox was told to reach nothing but what its kind needs. */
export function assertFlags({ args }: SeenProcess, kind: Kind): void {
  const line = args.join(" ");
  assert.equal(/--host-uds=open/.test(line), kind === "build", line);
  assert.doesNotMatch(line, /--host-(?:uds=(?!open)|fifo=(?!none))/);
  const passed = args.filter((arg) => arg.startsWith("--pass-fd="));
  assert.equal(passed.length, ["node", "python", "provided"].includes(kind) ? 1 : 0, line);
}

/** How many of the host's pipes a container has: its streams, and the notes of one that has no channel. */
const streams: Readonly<Record<Kind, number>> = {
  agent: 3,
  node: 2,
  python: 2,
  provided: 2,
  build: 4,
  program: 4,
};

const anonymous = /^(?:pipe|socket):\[\d+\]$/;

interface Directories {
  readonly stateDir: string;
  readonly dataDir: string;
}

/** Whether a name of a descriptor is one that a sandbox has of its own. */
function isOwn(name: string, { stateDir, dataDir }: Directories): boolean {
  const inState = name.startsWith(`${stateDir}/`) && name.slice(stateDir.length);
  const inData = name.startsWith(`${dataDir}/`) && name.slice(dataDir.length);
  if (inState) return /^\/(?:logs\/\d+-\d+\.json|pipes\/\w+ \(deleted\))$/.test(inState);
  if (inData) return /^\/overlays\/runsc-filestore-\d+ \(deleted\)$/.test(inData);
  if (anonymous.test(name) || name === "/dev/null") return true;
  return /^\/memfd:[\w-]+ \(deleted\)$|^anon_inode:\[event\w+\]$|\.erofs$/.test(name);
}

/** What the sandbox and its gofer have open is their own. */
export function assertDescriptors(
  { id, kind, spec, sandbox: own, gofer }: SeenContainer,
  server: Directories,
): void {
  const names = [...own.descriptors];
  const binds = spec.mounts.filter(({ type }) => type === "bind");
  const served = binds.map(({ destination }) => `/root${destination}`);
  const isServed = (name: string): boolean =>
    served.some((path) => name === path || name.startsWith(`${path}/`));
  for (const name of names) {
    assert.ok(isServed(name) || isOwn(name, server), `${kind} has ${name}`);
    const isReadOnly = isServed(name) || name.endsWith(".erofs");
    assert.ok(!isReadOnly || !own.writable.has(name), `${kind} may write ${name}`);
  }
  assert.equal(names.filter((name) => name.includes("/pipes/")).length, streams[kind], kind);
  assert.equal(names.filter((name) => name.endsWith(".erofs")).length, 1, kind);
  const stores = names.filter((name) => name.includes("/overlays/"));
  assert.equal(stores.length, kind === "agent" ? 1 : 0, kind);
  for (const name of gofer?.descriptors ?? []) {
    const isSpec = name === `${server.stateDir}/bundles/${id}/config.json`;
    const isMine = name === "/" || isSpec || isServed(name) || isOwn(name, server);
    assert.ok(isMine, `the gofer of a ${kind} has ${name}`);
  }
}

/**
 * Which pipes and sockets of containers some other process has open too. A pipe with a name has the same one on both
 * its ends, of which the server has one.
 */
export function sharersOf(
  seen: readonly SeenContainer[],
  processes: readonly SeenProcess[],
): string[] {
  const parents = new Map(processes.map(({ pid, status }) => [pid, Number(status["PPid"])]));
  return seen.flatMap(({ kind, command, sandbox: own, gofer }) => {
    const family = new Set([command.pid, own.pid, gofer?.pid]);
    // The processes that the guest's programs run in are the sandbox's children.
    const isOfFamily = (pid = 0): boolean =>
      pid > 1 && (family.has(pid) || isOfFamily(parents.get(pid)));
    const names = [...own.descriptors].filter(
      (name) => anonymous.test(name) || name.includes("/pipes/"),
    );
    return processes
      .filter(({ pid }) => pid !== process.pid && !isOfFamily(pid))
      .flatMap(({ descriptors }) => names.filter((name) => descriptors.has(name)))
      .map((name) => `${name} of a ${kind}`);
  });
}
