import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, suite, test } from "node:test";
import { execa } from "execa";
import { pino } from "pino";
import { Client } from "../../api/client/client.ts";
import { loadConfig } from "../../api/config.ts";
import { startServer } from "../../api/server.ts";
import { poll } from "../../runtime/deadline.ts";
import type { Problem } from "../../api/schema/problem.ts";
import type { Spec } from "../../runtime/oci/spec.ts";
import { pythonBootstrap } from "../support/bootstrap.ts";
import { startChildServer } from "../support/child-server.ts";
import { node } from "../support/packages.ts";
import { problemOf } from "../support/problem.ts";
import { startRegistry } from "../support/registry.ts";
import { testEnvironment } from "../support/server.ts";
import { tempDir } from "../support/temp-dir.ts";
import { assertDescriptors, assertFlags, assertLeast, assertShutIn, sharersOf } from "./least.ts";
import {
  allProcesses,
  containersOf,
  type Kind,
  type SeenContainer,
  type SeenProcess,
  socketsBelow,
} from "./seen-container.ts";

/** What a function is given, and what the operator has given the server. */
const canary = "canary-4f1d8a60c2";
const operators = "canary-9b27e0d3f5";
process.env["RUNLET_TEST_OPERATORS"] = operators;

await using stack = new AsyncDisposableStack();
const directory = stack.use(await tempDir());
const registry = stack.use(await startRegistry());
const config = {
  ...loadConfig(testEnvironment(directory.path)),
  // The members of stocks are looked at too.
  poolFloor: 1,
  poolMax: 4,
  sandboxStock: 1,
  maxConcurrency: 16,
  build: {
    timeoutMs: 300_000,
    memoryBytes: 512 * 1024 * 1024,
    maxBytes: 20_000_000,
    registries: { npm: registry.npm },
    hosts: [registry.host],
  },
};
let logged = "";
const lines = new PassThrough().on("data", (chunk: Buffer) => (logged += chunk.toString()));
const { url } = stack.use(await startServer(config, pino({ level: "trace" }, lines)));
const client = new Client({ url });
const open = new Set<Promise<unknown>>();
stack.defer(async () => void (await Promise.allSettled(open)));
const owned = stack.move();
after(async () => {
  delete process.env["RUNLET_TEST_OPERATORS"];
  await owned.disposeAsync();
});

await client.setSecret("canary", canary);
const beginMs = performance.now();
const secrets = { TOKEN: "canary" };
const sandbox = await client.createSandbox();
const { id: snapshot } = await client.createSnapshot(sandbox.id);
const restored = await client.createSandbox({ snapshot });
await client.deploy("warm", {
  runtime: "node",
  isolation: "reuse",
  secrets,
  code: { source: "export const handler = () => 1;" },
});
await client.invoke("warm");
/**
 * Long enough for all to be looked at while they run, though the last of them starts long after the first: what is to
 * be started is about twice what has been, and has others beside it.
 */
const lastingMs = Math.round(Math.max(45_000, 6 * (performance.now() - beginMs)));
const timeoutMs = 4 * lastingMs;
await client.deploy("node", {
  runtime: "node",
  timeoutMs,
  secrets,
  code: {
    source: `import { execFileSync } from "node:child_process";
      export const handler = async () => {
        await new Promise((done) => setTimeout(done, ${lastingMs}));
        console.log("has " + execFileSync("ls", ["/proc/self/fd"], { stdio: ["inherit", "pipe", "inherit"] }).toString().split("\\n").join(" "));
        console.log(process.env.TOKEN);
        throw new Error(process.env.TOKEN);
      };`,
  },
});
await client.deploy("python", {
  runtime: "python",
  timeoutMs,
  secrets,
  code: {
    source: `import os, subprocess, time
def handler(event, context):
    time.sleep(${lastingMs / 1000})
    print("has", *subprocess.check_output(["ls", "/proc/self/fd"], text=True).split())
    print(os.environ["TOKEN"])
    raise RuntimeError(os.environ["TOKEN"])`,
  },
});
const provided = pythonBootstrap(
  `    time.sleep(${lastingMs / 1000})
    print("has", *os.popen("ls /proc/self/fd").read().split(), flush=True)
    print(os.environ["TOKEN"], flush=True)
    fail(id, json.dumps({"errorType": "Odd", "errorMessage": os.environ["TOKEN"]}))`,
);
await client.deploy(
  "provided",
  {
    runtime: "provided",
    timeoutMs,
    secrets,
    code: { files: [{ path: "bootstrap", content: provided, executable: true }] },
  },
  { check: false },
);
const script = `sleep ${lastingMs / 1000}; echo has $(ls /proc/self/fd); echo $TOKEN; echo $TOKEN >&2; exit 3`;
await client.deploy("command", {
  runtime: "command",
  command: ["sh", "-c", script],
  timeoutMs,
  secrets,
});

/** Goes on while the tests look; nobody has to wait for it. */
function begin<T>(call: Promise<T>): Promise<T> {
  open.add(call.catch(() => undefined));
  return call;
}

const built = begin(
  client.deploy("built", {
    ...node({
      "package.json": JSON.stringify({
        dependencies: { greeting: "^1.0.0" },
        scripts: { postinstall: `echo has $(ls /proc/self/fd); sleep ${lastingMs / 1000}` },
      }),
      "index.mjs": "export const handler = () => 1;",
    }),
    dependencies: "install-with-scripts",
  }),
);
// One after the other: whose start has to share the processor with all others' may run out of its time to load.
await untilUp("build", 1);
const failing: Promise<Problem>[] = [];
for (const [name, kind, count] of [
  ["node", "node", 2],
  ["python", "python", 1],
  ["provided", "provided", 1],
  ["command", "program", 1],
] as const) {
  failing.push(begin(problemOf(client.invoke(name))));
  await untilUp(kind, count);
}
const executed = begin(
  client.execute({
    runtime: "bash",
    timeoutMs,
    code: { source: `sleep ${lastingMs / 1000}; echo has $(ls /proc/self/fd)` },
  }),
);

/** How many of each there have to be; of two kinds of stock one stands by. */
const wanted: Readonly<Record<Kind, number>> = {
  agent: 3,
  node: 3,
  python: 1,
  provided: 1,
  build: 1,
  program: 2,
};
let containers: readonly SeenContainer[] = [];
/** Of the host, at the same moment. */
let processes: readonly SeenProcess[] = [];
before(async () => {
  containers = await poll("see a container of each kind", allKinds, {
    timeoutMs: lastingMs,
    intervalMs: 100,
  });
});

/** Those that are up. */
function thoseUp(): SeenContainer[] {
  return containersOf(config.stateDir).filter(({ sandbox: own, gofer, kind }) => {
    // A sandbox shuts itself in once it is up, before anything of the guest runs.
    const isShut = own.status["Seccomp"] === "2";
    return isShut && (kind !== "build" || gofer !== undefined);
  });
}

async function untilUp(of: Kind, count: number): Promise<void> {
  const isUp = (): true | undefined =>
    thoseUp().filter(({ kind }) => kind === of).length >= count || undefined;
  await poll(`see ${count} of ${of}`, isUp, { timeoutMs: lastingMs, intervalMs: 100 });
}

/** Those that are up, once there is enough of each kind. */
function allKinds(): SeenContainer[] | undefined {
  const up = thoseUp();
  const counts = Object.entries(wanted).map(
    ([kind, count]) => up.filter((each) => each.kind === kind).length - count,
  );
  processes = allProcesses();
  return counts.every((count) => count >= 0) ? up : undefined;
}

suite("every container", () => {
  test("of a kind that there is, restored ones and those in stock too, has the spec of the least", () => {
    for (const { kind, spec } of containers) assertLeast(spec, kind);
    const copies = containers.filter(({ command }) => command.args.includes("restore"));
    assert.deepEqual(
      copies.map(({ kind }) => kind),
      ["agent"],
    );
  });

  test("has a process on the host that is shut in, with a root and namespaces of its own", () => {
    for (const { kind, sandbox: own, gofer } of containers) {
      for (const each of [own, gofer].filter((process) => process !== undefined)) {
        assertShutIn(each, kind);
      }
      assert.deepEqual(own.root, ["etc", "proc"], kind);
    }
  });

  test("has no network, and none but a build the host's sockets, of which it sees its proxy's", () => {
    for (const { kind, command, sandbox: own, spec } of containers) {
      assert.ok(command.args.includes("--network=none"), kind);
      assertFlags(own, kind);
      const sources = spec.mounts.filter(({ type }) => type === "bind").map(({ source }) => source);
      const sockets = sources.flatMap(socketsBelow);
      assert.equal(sockets.length, kind === "build" ? 1 : 0, sockets.join());
      assert.ok(sockets.every((path) => /\/tasks\/net-\w+\/proxy$/.test(path)));
    }
  });

  test("has open on the host what is its own, and nothing that another has", () => {
    for (const container of containers) assertDescriptors(container, config);
    assert.deepEqual(sharersOf(containers, processes), []);
  });

  test("has no secret in an environment or a command line, nor in a file that others may read", () => {
    for (const { args, environment } of processes) {
      for (const each of [...args, ...environment]) assert.ok(!each.includes(canary), each);
    }
    for (const { kind, command, sandbox: own, gofer } of containers) {
      for (const { environment } of [command, own, gofer].filter((each) => each !== undefined)) {
        assert.ok(!environment.some((entry) => entry.includes(operators)), kind);
        assert.ok(environment.length <= 3, `${kind}: ${environment.join()}`);
      }
    }
    let found = 0;
    for (const path of filesIn(config.stateDir)) {
      if (!readFileSync(path).includes(canary)) continue;
      found++;
      assert.equal(statSync(dirname(path)).mode & 0o077, 0, path);
    }
    assert.ok(found > 0, "the bundle of the command has it");
  });

  test("leaves a guest three descriptors and its own, and no secret in what is told or kept", async () => {
    const problems = await Promise.all(failing);
    const records = await Promise.all(
      problems.map(async ({ invocationId = "" }) => await client.invocation(invocationId)),
    );
    const { version } = await built;
    const builds = await client.invocation(version.build?.invocationId ?? "");
    const listed = await Promise.all(
      [sandbox, restored].map(async ({ id }) => {
        const { stdout } = await client.runCommand(id, { command: "echo has $(ls /proc/self/fd)" });
        return stdout.text;
      }),
    );
    const seen = [
      ...records.map(({ stdout }) => stdout),
      (await executed).stdout,
      builds.stderr,
      ...listed,
    ];
    // The last is the one by which they are listed.
    for (const text of seen) assert.match(text, /^has 0 1 2 3\s*$/m);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    const told = { problems, records, builds, logged, metrics, secrets: await client.secrets() };
    for (const [what, value] of Object.entries(told)) {
      assert.ok(!JSON.stringify(value).includes(canary), `${what} have it`);
    }
    assert.ok(logged.length > 0);
    for (const path of filesIn(config.dataDir)) {
      assert.ok(!readFileSync(path).includes(canary), `${path} has it`);
    }
  });
});

test("a sandbox with a network has no more, but a stack of its own in a namespace with one link", async () => {
  await using parts = new AsyncDisposableStack();
  const dir = parts.use(await tempDir());
  const host = dir.path.slice(1).replaceAll("/", "-");
  await execa("ip", ["netns", "add", host]);
  parts.defer(async () => void (await execa("ip", ["netns", "delete", host])));
  const through = ["nsenter", `--net=/run/netns/${host}`];
  const inside = async (...args: string[]): Promise<string> =>
    (await execa("nsenter", [...through.slice(1), ...args], { timeout: 30_000 })).stdout;
  await inside("ip", "link", "set", "lo", "up");
  await inside("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
  const server = parts.use(await startChildServer({ through, directory: dir.path }));
  const body = JSON.stringify({ network: { allow: ["203.0.113.1"] } });
  const ask = `const [url, body] = process.argv.slice(1);
    const headers = { "content-type": "application/json" };
    console.log(await (await fetch(url + "/v1/sandboxes", { method: "POST", headers, body })).text());`;
  const flags = ["--input-type=module", "-e", ask, server.url, body];
  const answer = await inside(process.execPath, ...flags);
  const [container] = containersOf(server.stateDir);
  assert.ok(container, answer);
  const { kind, spec, sandbox: own } = container;
  assert.equal(kind, "agent");
  const { path = "" } = spec.linux.namespaces.find(({ type }) => type === "network") ?? {};
  assert.match(path, /^\/run\/netns\/./);
  assertLeast({ ...spec, linux: { ...spec.linux, namespaces: plainly(spec) } }, kind);
  assertShutIn(own, kind);
  assert.ok(own.args.includes("--network=sandbox"));
  assertFlags(own, kind);
  assertDescriptors(container, server);
  const links = await inside("nsenter", `--net=${path}`, "ip", "-o", "link");
  assert.equal(links.split("\n").length, 2, links);
});

function plainly({ linux: { namespaces } }: Spec): Spec["linux"]["namespaces"] {
  return namespaces.map(({ type }) => ({ type }));
}

function filesIn(path: string): string[] {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
