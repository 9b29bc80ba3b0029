import assert from "node:assert/strict";
import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { execa } from "execa";
import { minimumRunscVersion } from "../../../runtime/runsc/version.ts";
import { tempDir, type TempDir } from "../../support/temp-dir.ts";

const script = join(import.meta.dirname, "../../../api/cli/setup.sh");
const recent = "echo 'runsc version 0.0~20240729.0'";
const old = "echo 'runsc version 0.0~20221219.0'";
/** An npm that makes what the real one makes, as far as the set-up looks at it. */
const workingNpm = `
  echo "npm $*" >>"$CALLS"
  case "$*" in ci*) mkdir -p node_modules && cp package-lock.json node_modules/.package-lock.json ;; esac
  case "$*" in rebuild*) mkdir -p node_modules/.bin && ln -sf "$(command -v node)" node_modules/.bin/node ;; esac`;

suite("set-up", () => {
  test("does nothing and says nothing where nothing is missing", async () => {
    await using machine = await freshMachine({ npm: 'echo "npm $*" >>"$CALLS"', isReady: true });
    const { exitCode, said, calls } = await machine.setUp();
    assert.deepEqual({ exitCode, said, calls }, { exitCode: 0, said: "", calls: [] });
  });

  test("installs the packages once, without any install script but those that are needed", async () => {
    await using machine = await freshMachine({ npm: workingNpm });
    const first = await machine.setUp();
    assert.equal(first.exitCode, 0, first.said);
    assert.deepEqual(first.calls, [
      "npm ci --ignore-scripts --no-audit --no-fund",
      "npm rebuild --ignore-scripts=false node",
    ]);
    assert.match(first.said, /^setup: installing npm packages \.\.\.\n/);
    const second = await machine.setUp();
    assert.deepEqual([second.exitCode, second.said, second.calls], [0, "", []]);
  });

  test("installs the packages again when the lock file has changed", async () => {
    await using machine = await freshMachine({ npm: workingNpm, isReady: true });
    await writeFile(machine.file("package-lock.json"), lockOf("2.0.0"));
    const { exitCode, said, calls } = await machine.setUp();
    assert.equal(exitCode, 0, said);
    assert.match(calls[0] ?? "", /^npm ci /);
  });

  test("takes a tree that plain npm ci has made", async () => {
    await using machine = await freshMachine({ npm: workingNpm, isReady: true });
    const lock = await readFile(machine.file("package-lock.json"));
    await writeFile(machine.file("node_modules/.package-lock.json"), lock);
    await writeFile(machine.file("node_modules/.runlet-setup"), "");
    const { exitCode, said, calls } = await machine.setUp();
    assert.deepEqual({ exitCode, said, calls }, { exitCode: 0, said: "", calls: [] });
  });

  test("says that the registry is out of reach, and what to do next", async () => {
    const npm = "echo 'npm error code EAI_AGAIN' >&2; exit 1";
    await using machine = await freshMachine({ npm });
    const { exitCode, said } = await machine.setUp({ npm_lifecycle_event: "quickstart" });
    assert.equal(exitCode, 1);
    assert.match(said, /npm registry is out of reach/);
    assert.match(said, /Next: .*`npm run quickstart` again\n$/);
  });

  test("shows what npm says when it fails otherwise", async () => {
    const npm = "echo 'npm error the lock file is not in sync' >&2; exit 1";
    await using machine = await freshMachine({ npm });
    const { exitCode, said } = await machine.setUp({ npm_lifecycle_event: "pretest" });
    assert.equal(exitCode, 1);
    assert.match(said, /\| npm error the lock file is not in sync/);
    assert.match(said, /Next: .*`npm test` again\n$/);
  });

  for (const { name, runsc, apt, uid, expected } of [
    {
      name: "no apt",
      runsc: undefined,
      apt: false,
      uid: 0,
      expected: /gVisor's installation guide/,
    },
    { name: "an old runsc", runsc: old, apt: false, uid: 0, expected: /and not 0\.0~20221219\.0/ },
    {
      name: "no root",
      runsc: undefined,
      apt: true,
      uid: 1000,
      expected: /sudo sh api\/cli\/setup/,
    },
  ]) {
    test(`with ${name} says how to get runsc, and exits with 1`, async () => {
      await using machine = await freshMachine({ runsc, apt, uid, isReady: true });
      const { exitCode, said, calls } = await machine.setUp();
      assert.equal(exitCode, 1);
      assert.match(said, new RegExp(`runsc ${minimumRunscVersion} or newer is needed`));
      assert.match(said, expected);
      assert.match(said, /Next: .*`npm test` again\n$/);
      assert.deepEqual(calls, []);
    });
  }

  test("names everything that is missing at once", async () => {
    await using machine = await freshMachine({ runsc: undefined, erofs: false, isReady: true });
    const { exitCode, said } = await machine.setUp();
    assert.equal(exitCode, 1);
    assert.match(said, /runsc .* is needed/);
    assert.match(said, /mkfs\.erofs .* is missing\n.*apt-get install erofs-utils/);
  });

  test("installs EROFS tools from the machine's own apt as root", async () => {
    await using machine = await freshMachine({ erofs: false, apt: true, isReady: true });
    const { exitCode, said, calls } = await machine.setUp();
    assert.equal(exitCode, 0, said);
    assert.equal(calls.length, 1);
    assert.match(calls[0] ?? "", /^apt-get install .* erofs-utils$/);
  });

  for (const { what, lacking, packages } of [
    { what: "pip", lacking: { pip: false }, packages: /^apt-get install .* python3-pip$/ },
    { what: "nft", lacking: { nft: false }, packages: /^apt-get install .* iproute2 nftables$/ },
  ]) {
    test(`takes ${what} from apt, and does without it where it may not use apt`, async () => {
      await using machine = await freshMachine({ ...lacking, apt: true, isReady: true });
      const { exitCode, calls } = await machine.setUp();
      assert.equal(exitCode, 0);
      assert.match(calls[0] ?? "", packages);
      await using another = await freshMachine({ ...lacking, apt: true, uid: 1000, isReady: true });
      const { exitCode: its, said } = await another.setUp();
      assert.deepEqual([its, said], [0, ""]);
    });
  }

  test("asks for the runsc that the product asks for", async () => {
    const text = await readFile(script, "utf8");
    assert.equal(`0.0~${/^minimum_runsc=(\d+)$/m.exec(text)?.[1]}`, minimumRunscVersion);
  });
});

interface MachineOptions {
  /** Body of the program; absent from PATH where undefined. */
  npm?: string | undefined;
  runsc?: string | undefined;
  erofs?: boolean;
  pip?: boolean;
  nft?: boolean;
  apt?: boolean;
  uid?: number;
  /** Whether the npm packages are there. */
  isReady?: boolean;
}

interface Machine extends TempDir {
  setUp(env?: Record<string, string>): Promise<{ exitCode: number; said: string; calls: string[] }>;
}

/** A tree with a PATH of its own, on which only the named programs are. */
async function freshMachine(options: MachineOptions): Promise<Machine> {
  const {
    npm,
    erofs = true,
    pip = true,
    nft = true,
    apt = false,
    uid = 0,
    isReady = false,
  } = options;
  const runsc = "runsc" in options ? options.runsc : recent;
  const dir = await tempDir();
  const bin = dir.file("bin");
  await mkdir(bin);
  await mkdir(dir.file("api/cli"), { recursive: true });
  await copyFile(script, dir.file("api/cli/setup.sh"));
  await writeFile(dir.file("package-lock.json"), lockOf("1.0.0"));
  const tools = [
    "sh",
    "cat",
    "cksum",
    "sed",
    "awk",
    "grep",
    "mktemp",
    "chmod",
    "rm",
    "mkdir",
    "cp",
    "ln",
    "dirname",
    "head",
    "tail",
  ];
  for (const tool of tools) await program(bin, tool, `PATH=/usr/bin:/bin exec ${tool} "$@"`);
  // Node loads whatever it is asked for.
  await program(
    bin,
    "node",
    `case "$*" in -e*require\\(\\'*) exit 0 ;; esac; exec ${process.execPath} "$@"`,
  );
  await program(bin, "id", `echo ${uid}`);
  if (npm !== undefined) await program(bin, "npm", npm);
  if (runsc !== undefined) await program(bin, "runsc", runsc);
  const present = Object.entries({ "mkfs.erofs": erofs, pip3: pip, ip: true, nft });
  for (const [name, isThere] of present) if (isThere) await program(bin, name, "exit 0");
  if (apt) await program(bin, "apt-get", 'echo "apt-get $*" >>"$CALLS"');
  if (isReady) await makeReady(dir, bin);
  const calls = dir.file("calls");
  return {
    ...dir,
    setUp: async (env = {}) => {
      await writeFile(calls, "");
      const run = await execa("/bin/sh", [dir.file("api/cli/setup.sh")], {
        env: { PATH: bin, CALLS: calls, TMPDIR: dir.path, ...env },
        extendEnv: false,
        reject: false,
        all: true,
        stripFinalNewline: false,
        timeout: 60_000,
      });
      const left = (await readdir(dir.path)).filter((name) => name.startsWith("runlet-setup-"));
      assert.deepEqual(left, [], "no temporary directory is left");
      const lines = (await readFile(calls, "utf8")).split("\n").filter((line) => line !== "");
      return { exitCode: run.exitCode ?? -1, said: run.all, calls: lines };
    },
  };
}

async function makeReady(dir: TempDir, bin: string): Promise<void> {
  await mkdir(dir.file("node_modules/.bin"), { recursive: true });
  await copyFile(join(bin, "node"), dir.file("node_modules/.bin/node"));
  const lock = await readFile(dir.file("package-lock.json"));
  const { stdout } = await execa("cksum", { input: lock });
  await writeFile(dir.file("node_modules/.runlet-setup"), `${stdout}\n`);
}

async function program(bin: string, name: string, body: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\n${body}\n`);
  await chmod(join(bin, name), 0o755);
}

function lockOf(version: string): string {
  return JSON.stringify({ packages: { "": {}, "node_modules/a": { version } } });
}
