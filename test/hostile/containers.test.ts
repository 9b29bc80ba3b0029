import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { pino } from "pino";
import { Client } from "../../api/client/client.ts";
import { loadConfig } from "../../api/config.ts";
import { startServer } from "../../api/server.ts";
import { poll } from "../../runtime/deadline.ts";
import { defaultSpec, type Spec } from "../../runtime/oci/spec.ts";
import { problemOf } from "../support/problem.ts";
import { sandboxPidsOf } from "../support/sandboxes.ts";
import { testEnvironment } from "../support/server.ts";
import { tempDir } from "../support/temp-dir.ts";

const canary = "canary-4f1d8a60c2";

test("every container has the spec of the least, and no secret is where it may be read", async () => {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await tempDir());
  const config = loadConfig(testEnvironment(directory.path));
  let logged = "";
  const lines = new PassThrough().on("data", (chunk: Buffer) => (logged += chunk.toString()));
  const { url } = stack.use(await startServer(config, pino({ level: "trace" }, lines)));
  const client = new Client({ url });
  await client.setSecret("canary", canary);
  const secrets = { TOKEN: "canary" };
  await client.deploy("node", {
    runtime: "node",
    secrets,
    code: {
      source: `export const handler = async () => {
        await new Promise((done) => setTimeout(done, 3000));
        console.log(process.env.TOKEN);
        throw new Error(process.env.TOKEN);
      };`,
    },
  });
  await client.deploy("python", {
    runtime: "python",
    secrets,
    code: {
      source:
        "import os, time\ndef handler(event, context):\n    time.sleep(3)\n    print(os.environ['TOKEN'])\n    raise RuntimeError(os.environ['TOKEN'])",
    },
  });
  const command = ["sh", "-c", "sleep 3; echo $TOKEN; echo $TOKEN >&2; exit 3"];
  await client.deploy("command", { runtime: "command", command, secrets });
  const { id } = await client.createSandbox();
  const failing = ["node", "python", "command"].map(async (name) => {
    return await problemOf(client.invoke(name));
  });
  const executed = client.execute({ runtime: "bash", code: { source: "sleep 3" } });

  const specs = await poll(
    "see five containers",
    async () => {
      const all = specsIn(join(config.stateDir, "bundles"));
      return all.length >= 5 && sandboxPidsOf(config.stateDir).length >= 5 ? all : undefined;
    },
    { timeoutMs: 20_000, intervalMs: 20 },
  );
  for (const spec of specs) assertLeast(spec);
  assert.equal(specs.filter(({ process }) => process.user.uid === 0).length, 1, "the agent's");
  for (const pid of sandboxPidsOf(config.stateDir)) {
    // A sandbox shuts itself in once it is up, before anything of the guest runs.
    await poll(
      `see sandbox ${pid} filter its system calls`,
      () => (/^Seccomp:\t2$/m.test(readFileSync(`/proc/${pid}/status`, "utf8")) ? true : undefined),
      { timeoutMs: 5_000, intervalMs: 10 },
    );
    const args = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    assert.ok(args.includes("--network=none"), args);
    assert.doesNotMatch(args, /--host-(?:uds|fifo)=(?!none)/);
  }
  for (const args of commandLines()) assert.ok(!args.includes(canary), "a command line has it");

  const problems = await Promise.all(failing);
  await executed;
  const { stdout } = await client.runCommand(id, { command: "ls /proc/self/fd" });
  assert.equal(stdout.text, "0\n1\n2\n3\n", "the last is the one that lists them");
  const records = await Promise.all(
    problems.map(async ({ invocationId = "" }) => await client.invocation(invocationId)),
  );
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const told = { problems, records, logged, metrics, secrets: await client.secrets() };
  for (const [what, value] of Object.entries(told)) {
    assert.ok(!JSON.stringify(value).includes(canary), `${what} have it`);
  }
  assert.ok(logged.length > 0);
  for (const entry of readdirSync(config.dataDir, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    assert.ok(!readFileSync(path).includes(canary), `${path} has it`);
  }
});

/** What every container has, whatever it is for; a sandbox's agent is root inside, with six rights. */
function assertLeast({ process, root, linux, mounts }: Spec): void {
  assert.equal(process.noNewPrivileges, true);
  assert.equal(process.terminal, false);
  const isAgent = process.user.uid === 0;
  const rights = new Set(Object.values(process.capabilities).flat());
  assert.equal(rights.size, isAgent ? 6 : 0);
  assert.equal(root.readonly, !isAgent);
  for (const rlimit of defaultSpec.process.rlimits) {
    assert.deepEqual(
      process.rlimits.filter(({ type }) => type === rlimit.type),
      [rlimit],
    );
  }
  assert.ok(isAgent || process.rlimits.some(({ type }) => type === "RLIMIT_NPROC"));
  assert.deepEqual(linux.maskedPaths, defaultSpec.linux.maskedPaths);
  assert.deepEqual(linux.readonlyPaths, defaultSpec.linux.readonlyPaths);
  assert.deepEqual(linux.namespaces, defaultSpec.linux.namespaces);
  for (const { type, options = [] } of mounts) {
    assert.ok(["proc", "tmpfs", "sysfs", "bind"].includes(type), type);
    if (type === "bind") assert.ok(options.includes("ro") && options.includes("nosuid"));
  }
}

function specsIn(bundles: string): Spec[] {
  return readdirSync(bundles).map(
    (name) => JSON.parse(readFileSync(join(bundles, name, "config.json"), "utf8")) as Spec,
  );
}

function commandLines(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8");
      } catch {
        return "";
      }
    });
}
