import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ApiError } from "../../api/client/client.ts";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { node, python, wheelOf } from "../support/packages.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const limits = {
  hosts: [],
  registries: {},
  timeoutMs: 60_000,
  memoryBytes: 512 * 1024 * 1024,
  maxBytes: 2_000_000,
};

let server: TestServer;
let hasty: TestServer;
before(async () => {
  server = await startTestServer({ overrides: { build: limits } });
  hasty = await startTestServer({ overrides: { build: { ...limits, timeoutMs: 4_000 } } });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await hasty[Symbol.asyncDispose]();
});

const wheel = wheelOf("greeting", "WORD = 'from a wheel'\n");
const nodeHandler = `import { word } from "greeting";
export const handler = () => word;`;
const pythonHandler = "import greeting\ndef handler(event, context):\n    return greeting.WORD\n";

test("a package of the code itself is installed for a node function, once", async () => {
  const { client } = server;
  const { version } = await client.deploy("node", nodeSpec("hello"));
  assert.ok(version.build);
  assert.equal(version.build.isCached, false);
  assert.equal(await answerOf("node"), "hello");

  const again = await client.deploy("node", nodeSpec("hello"));
  assert.equal(again.created, false);
  assert.deepEqual(again.version.build, { ...version.build, isCached: true });
  const other = await client.deploy("node-other", nodeSpec("hello"));
  assert.deepEqual(other.version.build, { ...version.build, isCached: true });
  const changed = await client.deploy("node", nodeSpec("bye"));
  assert.equal(changed.version.build?.isCached, false);
  assert.equal(await answerOf("node"), "bye");

  const record = await client.invocation(version.build.invocationId);
  assert.deepEqual(
    [record.kind, record.functionName, record.status, record.exitCode, record.stdout],
    ["build", "node", "succeeded", 0, ""],
  );
  assert.match(record.stderr, /added 1 package/);
  const builds = await client.invocations({ kind: "build", function: "node" });
  assert.equal(builds.items.length, 2);
  assert.equal((await client.statistics("node")).count, 2);
});

test("wheels that come with the code are installed for a python function without a network", async () => {
  const { client } = server;
  for (const directory of ["wheels", "vendor/wheels"]) {
    const { version } = await client.deploy("python", pythonSpec(directory, pythonHandler));
    assert.equal(version.build?.isCached, false);
    assert.equal(await answerOf("python"), "from a wheel");
  }
  const changed = pythonHandler.replace("greeting.WORD", "greeting.WORD.upper()");
  const { version, created } = await client.deploy("python", pythonSpec("wheels", changed));
  assert.deepEqual([created, version.build?.isCached], [true, true]);
  assert.equal(await answerOf("python"), "FROM A WHEEL");
});

const asTheyAre: { what: string; spec: FunctionSpecInput; answer: string }[] = [
  {
    what: "node_modules that come with the code",
    spec: node({
      "package.json": '{"dependencies": {"greeting": "^1.0.0"}}',
      "index.mjs": nodeHandler,
      "node_modules/greeting/package.json": '{"type": "module", "exports": "./index.js"}',
      "node_modules/greeting/index.js": 'export const word = "vendored";',
    }),
    answer: "vendored",
  },
  {
    what: "Python packages that come in their directory",
    spec: python({
      "requirements.txt": "greeting==1.0.0",
      "main.py": pythonHandler,
      "python_packages/greeting/__init__.py": "WORD = 'vendored'",
    }),
    answer: "vendored",
  },
  {
    what: "Python packages that come beside the code",
    spec: python({
      "requirements.txt": "greeting==1.0.0",
      "main.py": pythonHandler,
      "greeting.py": "WORD = 'vendored'",
      "greeting-1.0.0.dist-info/METADATA": "Name: greeting",
    }),
    answer: "vendored",
  },
  {
    what: "dependencies that are to be left out",
    spec: {
      ...node({
        "package.json": '{"dependencies": {"greeting": "^1.0.0"}}',
        "index.mjs": "export const handler = () => 1;",
      }),
      dependencies: "as-is",
    },
    answer: "1",
  },
  {
    what: "code that depends on nothing",
    spec: node({
      "package.json": '{"dependencies": {}, "devDependencies": {"typescript": "^6"}}',
      "index.mjs": "export const handler = () => 1;",
    }),
    answer: "1",
  },
  {
    what: "requirements that are a remark",
    spec: python({
      "requirements.txt": "# none\n\n",
      "main.py": "def handler(event, context):\n    return 1\n",
    }),
    answer: "1",
  },
];

for (const { what, spec, answer } of asTheyAre) {
  test(`${what}: nothing is installed`, async () => {
    const { version } = await server.client.deploy("as-is", spec);
    assert.equal(version.build, undefined);
    assert.equal(await answerOf("as-is"), answer);
  });
}

const unfetched: { what: string; spec: FunctionSpecInput; said: RegExp }[] = [
  {
    what: "a package of npm's registry",
    spec: node({
      "package.json": '{"dependencies": {"left-pad": "1.3.0"}}',
      "index.mjs": nodeHandler,
    }),
    said: /package\.json .*no network.*Send node_modules .*RUNLET_BUILD_HOSTS=.*as-is/s,
  },
  {
    what: "a package of Python's index",
    spec: python({ "requirements.txt": "six==1.17.0", "main.py": pythonHandler }),
    said: /requirements\.txt .*no network.*Send wheels .*RUNLET_BUILD_HOSTS=.*as-is/s,
  },
];

for (const { what, spec, said } of unfetched) {
  test(`${what} is not fetched where builds have no network, and nothing is tried`, async () => {
    const known = await server.client.invocations({ kind: "build" });
    const error = await refusal(server, "unfetched", spec);
    assert.deepEqual([error.code, error.problem.status], ["failed_precondition", 409]);
    assert.match(error.message, said);
    assert.deepEqual(await server.client.invocations({ kind: "build" }), known);
  });
}

const failing: { what: string; spec: FunctionSpecInput; code: string; said: RegExp }[] = [
  {
    what: "a lock file that tells of other packages",
    spec: nodeSpec("hello", {
      "package-lock.json": '{"lockfileVersion": 3, "packages": {"": {}}}',
    }),
    code: "invalid_argument",
    said: /npm could not install.*exited with code 1.*npm error.*in sync.*runlet logs/s,
  },
  {
    what: "a wheel that is not there",
    spec: python({
      "requirements.txt": "greeting==1.0.0\nfarewell",
      "main.py": pythonHandler,
      [`wheels/${wheel.path}`]: wheel,
    }),
    code: "invalid_argument",
    said: /pip could not install.*No matching distribution found for farewell/s,
  },
  {
    what: "an install script that fails",
    spec: withScript("echo going wrong >&2; exit 3"),
    code: "invalid_argument",
    said: /going wrong/,
  },
  {
    what: "what is larger than its bound",
    spec: withScript("head -c 3000000 /dev/urandom > node_modules/.large"),
    code: "payload_too_large",
    said: /2000000 bytes.*RUNLET_BUILD_MAX_BYTES/s,
  },
  {
    what: "what uses more memory than its bound",
    spec: withScript(`node -e 'const all=[];for(;;)all.push(Buffer.alloc(1e7,1))'`),
    code: "invalid_argument",
    said: /ran out of memory|exited with code/,
  },
  {
    what: "a link that leaves the code",
    spec: withScript("ln -s /etc/passwd node_modules/out"),
    code: "invalid_argument",
    said: /"node_modules\/out": its link is absolute/,
  },
];

for (const { what, spec, code, said } of failing) {
  test(`${what} fails the deployment with its log, and changes nothing`, async () => {
    await server.client.deploy("failing", nodeSpec("kept"));
    const error = await refusal(server, "failing", spec);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, said);
    const record = await server.client.invocation(error.problem.invocationId ?? "");
    assert.deepEqual([record.kind, record.status, record.error?.code], ["build", "failed", code]);
    assert.equal((await server.client.getFunction("failing")).version, 1);
    assert.equal(await answerOf("failing"), "kept");
  });
}

for (const [what, script] of [
  ["hangs", "echo waiting; sleep 600"],
  ["writes without an end", "yes"],
] as const) {
  test(`a build that ${what} ends at its bound of time and says so`, async () => {
    const error = await refusal(hasty, "slow", withScript(script));
    assert.equal(error.code, "deadline_exceeded");
    assert.match(error.message, /not done within 4000 ms \(RUNLET_BUILD_TIMEOUT_MS\)/);
    const record = await hasty.client.invocation(error.problem.invocationId ?? "");
    assert.deepEqual([record.status, record.exitReason], ["timed_out", "timeout"]);
    assert.equal(record.stderrTruncated, script === "yes");
    assert.ok(record.stderr.length < 1_100_000);
    assert.match(record.stderr, script === "yes" ? /output cut/ : /waiting/);
  });
}

test("install scripts run only where that is asked for, as a user without rights", async () => {
  const { client } = server;
  const script = "id -u > node_modules/.who; env > node_modules/.env";
  const handler =
    'import { existsSync, readFileSync } from "node:fs";\n' +
    'const at = (name) => new URL("node_modules/" + name, import.meta.url);\n' +
    'export const handler = () => existsSync(at(".who")) ? [".who", ".env"].map((n) => readFileSync(at(n), "utf8")) : null;';
  const spec = withScript(script, handler);
  await client.deploy("scripts", { ...spec, dependencies: "install" });
  assert.equal(await answerOf("scripts"), "null");
  process.env["RUNLET_TEST_HOST_WORD"] = "of-the-host";
  await client.deploy("scripts", spec);
  delete process.env["RUNLET_TEST_HOST_WORD"];
  const [who, env] = JSON.parse(await answerOf("scripts")) as [string, string];
  assert.equal(who, "1000\n");
  assert.doesNotMatch(env, /of-the-host|RUNLET_/);
});

function nodeSpec(word: string, more: Record<string, string> = {}): FunctionSpecInput {
  return node({
    "package.json": '{"dependencies": {"greeting": "file:./greeting"}}',
    "index.mjs": nodeHandler,
    "greeting/package.json": '{"name": "greeting", "version": "1.0.0", "exports": "./index.mjs"}',
    "greeting/index.mjs": `export const word = "${word}";`,
    ...more,
  });
}

/** Code that has a script run when its dependencies are installed. */
function withScript(postinstall: string, handler = nodeHandler): FunctionSpecInput {
  return {
    ...node({
      "package.json": JSON.stringify({
        dependencies: { greeting: "file:./greeting" },
        scripts: { postinstall },
      }),
      "index.mjs": handler,
      "greeting/package.json": '{"name": "greeting", "version": "1.0.0", "exports": "./index.mjs"}',
      "greeting/index.mjs": 'export const word = "hello";',
    }),
    dependencies: "install-with-scripts",
  };
}

function pythonSpec(directory: string, handler: string): FunctionSpecInput {
  return python({
    "requirements.txt": "greeting==1.0.0\n",
    "main.py": handler,
    [`${directory}/${wheel.path}`]: wheel,
  });
}

async function answerOf(name: string): Promise<string> {
  return Buffer.from((await server.client.invoke(name)).body).toString();
}

async function refusal(
  { client }: TestServer,
  name: string,
  spec: FunctionSpecInput,
): Promise<ApiError> {
  const error = await client.deploy(name, spec).then(
    () => assert.fail("it was deployed"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ApiError, String(error));
  return error;
}
