import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ApiError } from "../../api/client/client.ts";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { node, python } from "../support/packages.ts";
import { type Registry, startRegistry } from "../support/registry.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const limits = { timeoutMs: 60_000, memoryBytes: 512 * 1024 * 1024, maxBytes: 20_000_000 };

let registry: Registry;
let server: TestServer;
let closed: TestServer;
before(async () => {
  registry = await startRegistry();
  const { npm, pip, host } = registry;
  const registries = { npm, pip };
  server = await startTestServer({
    overrides: { build: { ...limits, registries, hosts: [host] } },
  });
  closed = await startTestServer({ overrides: { build: { ...limits, registries, hosts: [] } } });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await closed[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const nodeFiles = {
  "package.json": '{"dependencies": {"greeting": "^1.0.0"}}',
  "index.mjs": 'import { word } from "greeting";\nexport const handler = () => word;',
};
const pythonFiles = {
  "requirements.txt": "greeting==1.0.0",
  "main.py": "import greeting\ndef handler(event, context):\n    return greeting.WORD\n",
};

const fetched = [
  { what: "npm", spec: node(nodeFiles), path: "/npm/greeting.tgz", answer: "from the registry" },
  { what: "pip", spec: python(pythonFiles), path: "/pip/greeting/", answer: "from the index" },
];

for (const { what, spec, path, answer } of fetched) {
  test(`${what} fetches packages from a host that is allowed, once`, async () => {
    const { version } = await server.client.deploy(what, spec);
    assert.equal(version.build?.isCached, false);
    const { body } = await server.client.invoke(what);
    assert.equal(Buffer.from(body).toString(), answer);
    assert.ok(registry.asked.includes(path));
    const known = registry.asked.length;
    const again = await server.client.deploy(`${what}-again`, spec);
    assert.equal(again.version.build?.isCached, true);
    assert.equal(registry.asked.length, known);
    const sockets = await readdir(join(server.config.stateDir, "tasks"));
    assert.deepEqual(sockets, []);
  });
}

/** Tries to reach the registry past the proxy, and another port of the host through it. */
function attempt(host: string, other: string): string {
  return [
    `const { connect } = require("net");`,
    `const [name, port] = "${host}".split(":");`,
    `connect(port, name).on("connect", () => console.log("GOT OUT")).on("error", (e) => console.log("direct", e.code));`,
    `const proxy = process.env.http_proxy && new URL(process.env.http_proxy);`,
    `if (!proxy) console.log("no proxy");`,
    `else for (const line of ["CONNECT ${other} HTTP/1.1", "GET http://${other}/ HTTP/1.1"]) {`,
    `  const socket = connect(proxy.port, proxy.hostname, () => socket.write(line + "\\r\\nhost: x\\r\\n\\r\\n"));`,
    `  socket.once("data", (data) => { console.log(line.slice(0, 3), String(data).slice(0, 40)); socket.destroy(); });`,
    `}`,
  ].join("\n");
}

function curious(other: string): FunctionSpecInput {
  const script = attempt(registry.host, other);
  return {
    ...node({
      "package.json": JSON.stringify({
        dependencies: { local: "file:./local" },
        scripts: { postinstall: "node attempt.cjs" },
      }),
      "local/package.json": '{"name": "local", "version": "1.0.0"}',
      "attempt.cjs": script,
      "index.mjs": "export const handler = () => 1;",
    }),
    dependencies: "install-with-scripts",
  };
}

test("a build has no network where the operator allows none", async () => {
  const known = registry.asked.length;
  const { version } = await closed.client.deploy("curious", curious(registry.host));
  const { stderr } = await closed.client.invocation(version.build?.invocationId ?? "");
  assert.match(stderr, /direct E/);
  assert.match(stderr, /no proxy/);
  assert.doesNotMatch(stderr, /GOT OUT/);
  assert.equal(registry.asked.length, known);
});

test("a build reaches the hosts that are allowed through the proxy alone, and no other", async () => {
  const { host, port } = new URL(server.url);
  const { version } = await server.client.deploy("curious", curious(host));
  const { stderr } = await server.client.invocation(version.build?.invocationId ?? "");
  assert.match(stderr, /direct E/);
  assert.match(stderr, /CON HTTP\/1\.1 403 127\.0\.0\.1 is not among/);
  assert.match(stderr, /GET HTTP\/1\.1 403 127\.0\.0\.1 is not among/);
  assert.doesNotMatch(stderr, /GOT OUT/);
  assert.notEqual(`127.0.0.1:${port}`, registry.host);
});

test("a registry that is not allowed fails the build with its log", async () => {
  const { npm, pip } = registry;
  const build = { ...limits, registries: { npm, pip }, hosts: ["packages.invalid"] };
  await using strict = await startTestServer({ overrides: { build } });
  for (const { spec } of fetched) {
    const error = await strict.client.deploy("refused", spec).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof ApiError, String(error));
    assert.equal(error.code, "invalid_argument");
    assert.match(error.message, /could not install/);
  }
});
