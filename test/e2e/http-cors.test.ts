import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { problemIn } from "../support/problem.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";

type Cors = NonNullable<NonNullable<FunctionSpecInput["http"]>["cors"]>;

const home = "https://home.example";
const source = `export default { fetch: () => new Response("hi", {
  headers: { "access-control-allow-origin": "https://own.example", "vary": "accept" } }) };`;

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: smallPool });
  await deploy("plain");
  await deploy("open", { origins: ["*"], exposeHeaders: ["x-a", "x-b"] });
  await deploy("strict", {
    origins: [home],
    methods: ["GET", "PUT"],
    headers: ["x-a"],
    maxAgeSeconds: 600,
    credentials: true,
  });
});
after(async () => await server[Symbol.asyncDispose]());

async function deploy(name: string, cors?: Cors, isPublic = true): Promise<void> {
  await server.client.deploy(name, {
    runtime: "node",
    code: { source },
    http: { public: isPublic, ...(cors && { cors }) },
  });
}

async function preflight(name: string, origin: string): Promise<Response> {
  return await server.fetch(`/f/${name}/a`, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "PUT",
      "access-control-request-headers": "x-a,x-z",
    },
  });
}

function corsOf({ headers }: Response): Record<string, string> {
  const found = [...headers].filter(([name]) => name.startsWith("access-control-"));
  return Object.fromEntries(found.map(([name, text]) => [name.slice(15), text]));
}

async function runs(name: string): Promise<number> {
  return (await server.client.invocations({ function: name })).items.length;
}

test("a preflight request is answered without running the function", async () => {
  const open = await preflight("open", home);
  assert.equal(open.status, 204);
  assert.deepEqual(corsOf(open), {
    "allow-origin": "*",
    "allow-methods": "PUT",
    "allow-headers": "x-a,x-z",
  });
  assert.deepEqual(corsOf(await preflight("strict", home)), {
    "allow-origin": home,
    "allow-methods": "GET, PUT",
    "allow-headers": "x-a",
    "allow-credentials": "true",
    "max-age": "600",
  });
  assert.deepEqual([await runs("open"), await runs("strict")], [0, 0]);
});

test("an origin that is not named is allowed nothing", async () => {
  const asked = await preflight("strict", "https://else.example");
  assert.deepEqual([asked.status, corsOf(asked)], [204, {}]);
  const answer = await server.fetch("/f/strict", { headers: { origin: "https://else.example" } });
  assert.deepEqual(corsOf(answer), {});
  assert.equal(answer.headers.get("vary"), "accept, Origin");
});

test("answers and refusals to an allowed origin may be read by its pages", async () => {
  const open = await server.fetch("/f/open", { headers: { origin: home } });
  assert.equal(await open.text(), "hi");
  assert.deepEqual(corsOf(open), { "allow-origin": "*", "expose-headers": "x-a, x-b" });
  const strict = await server.fetch("/f/strict", { headers: { origin: home } });
  assert.deepEqual(corsOf(strict), { "allow-origin": home, "allow-credentials": "true" });
  await server.client.deploy("failing", {
    runtime: "node",
    code: { source: "export const handler = () => { throw 1; };" },
    http: { public: true, cors: { origins: [home] } },
  });
  const failed = await server.fetch("/f/failing", { headers: { origin: home } });
  assert.deepEqual([failed.status, corsOf(failed)], [502, { "allow-origin": home }]);
});

test("without a configuration, preflight requests are the function's own business", async () => {
  assert.deepEqual(corsOf(await preflight("plain", home)), {
    "allow-origin": "https://own.example",
  });
  assert.equal(await runs("plain"), 1);
});

test("an OPTIONS request that is no preflight reaches the function", async () => {
  const runsBefore = await runs("open");
  const response = await server.fetch("/f/open", { method: "OPTIONS" });
  assert.equal(await response.text(), "hi");
  assert.equal(await runs("open"), runsBefore + 1);
});

test("a function that is not public answers no preflight", async () => {
  await deploy("closed", { origins: ["*"] }, false);
  assert.equal((await problemIn(await preflight("closed", home))).code, "permission_denied");
});

const wrong: [string, unknown, RegExp][] = [
  ["an origin with a path", { origins: ["https://home.example/"] }, /http\.cors\.origins\.0/],
  ["no origin", { origins: [] }, /http\.cors\.origins/],
  ["any origin with credentials", { origins: ["*"], credentials: true }, /name the origins/],
  ["a header that is no name", { origins: ["*"], headers: ["a\r\nb"] }, /http\.cors\.headers\.0/],
  ["an unknown word", { origins: ["*"], origin: "x" }, /origin/],
];
for (const [what, cors, detail] of wrong) {
  test(`a configuration with ${what} is refused`, async () => {
    const body = { runtime: "node", code: { source }, http: { public: true, cors } };
    const response = await server.fetch("/v1/functions/wrong", {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const problem = await problemIn(response);
    assert.equal(problem.code, "invalid_argument");
    assert.match(problem.detail, detail);
  });
}
