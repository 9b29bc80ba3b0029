import { execa } from "execa";
import { chmod, mkdtemp, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { poll } from "../../runtime/deadline.ts";
import { findLeaks, isOtherRunUnderWay, type Leak, runPrefix } from "./leaks.ts";

/** What is killed or closed a moment before the end may take this long to be gone. */
const graceMs = Number(process.env["RUNLET_TEST_GRACE_MS"] ?? 5_000);

const compiledDirectory = join(import.meta.dirname, "../../node_modules/.cache/runlet/compiled");

let systemTmp = "";
let runDirectory = "";
let before = new Set<string>();
let wasAlone = true;

/** Gives this run a temporary directory of its own and notes what other work left or is about. */
export async function globalSetup(): Promise<void> {
  systemTmp = tmpdir();
  runDirectory = await mkdtemp(join(systemTmp, runPrefix));
  await chmod(runDirectory, 0o755);
  process.env["TMPDIR"] = runDirectory;
  // The many processes of a run load the same files.
  process.env["NODE_COMPILE_CACHE"] = compiledDirectory;
  wasAlone = !(await isOtherRunUnderWay());
  before = new Set((await findLeaks(runDirectory, systemTmp)).map(identity));
}

/** Removes what tests of this run left; fails the run and names all leaks, if there are any. */
export async function globalTeardown(): Promise<void> {
  const leaks = await leaksAfterGrace();
  if (leaks.length > 0) {
    const list = leaks.map((leak) => `  ${leak.kind} ${leak.description}`).join("\n");
    // The runner drops what a teardown throws, but keeps the exit code.
    process.stderr.write(`The tests left something behind:\n${list}\n`);
    process.exitCode = 1;
  }
  await clean(leaks);
  process.env["TMPDIR"] = systemTmp;
  await rm(runDirectory, { recursive: true, force: true });
}

async function leaksAfterGrace(): Promise<Leak[]> {
  let leaks: Leak[] = [];
  const probe = async (): Promise<true | undefined> => {
    const isAlone = wasAlone && !(await isOtherRunUnderWay());
    const found = await findLeaks(runDirectory, systemTmp);
    leaks = found.filter((leak) => !before.has(identity(leak)) && (leak.isOwn || isAlone));
    return leaks.length === 0 ? true : undefined;
  };
  await poll("end without leaks", probe, { timeoutMs: graceMs, intervalMs: 200 }).catch(
    () => undefined,
  );
  return leaks;
}

/** Takes away what is surely ours; strays are only named. */
async function clean(leaks: readonly Leak[]): Promise<void> {
  const keysOf = (kind: Leak["kind"]): string[] =>
    leaks.filter((leak) => leak.isOwn && leak.kind === kind).map((leak) => leak.key);
  for (const pid of keysOf("process")) kill(Number(pid));
  for (const path of keysOf("mount").toReversed()) {
    await forced("umount", ["-l", path]);
  }
  // A cgroup lets itself be removed when its processes are gone, which the kill above has begun.
  for (const path of keysOf("cgroup")) {
    const removed = async (): Promise<true | undefined> =>
      await rmdir(path).then(
        () => true,
        () => undefined,
      );
    await poll(`remove ${path}`, removed, { timeoutMs: 2_000 }).catch(() => undefined);
  }
  for (const name of keysOf("namespace")) await forced("ip", ["netns", "delete", name]);
  for (const name of keysOf("link")) await forced("ip", ["link", "delete", name]);
  for (const name of keysOf("table")) await forced("nft", ["delete", "table", ...name.split(" ")]);
  for (const path of keysOf("directory")) await rm(path, { recursive: true, force: true });
}

async function forced(file: string, args: readonly string[]): Promise<void> {
  await execa(file, args, { reject: false, timeout: 10_000 });
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function identity(leak: Leak): string {
  return `${leak.kind} ${leak.key}`;
}
