import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call } from "../support/call.ts";
import { smallPool, startTestServer, type TestServer } from "../support/server.ts";
import { tarGzOf, tarOf } from "../support/tar.ts";
import { zipOf } from "../support/zip.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: smallPool });
});
after(async () => await server[Symbol.asyncDispose]());

async function deploy(source: string): Promise<void> {
  await server.client.deploy("f", { runtime: "node", code: { source } });
}

const kindOf = `export const handler = (event) =>
  ({ kind: Buffer.isBuffer(event) ? "bytes" : typeof event, event: Buffer.isBuffer(event) ? event.toString("hex") : event });`;

const events: { what: string; body: string | Uint8Array; type: string; seen: unknown }[] = [
  {
    what: "JSON as its value",
    body: '{"a":[1,"ü"]}',
    type: "application/json; charset=utf-8",
    seen: { kind: "object", event: { a: [1, "ü"] } },
  },
  {
    what: "a JSON dialect as its value",
    body: "[1]",
    type: "application/cloudevents+json",
    seen: { kind: "object", event: [1] },
  },
  {
    what: "no body as an empty object",
    body: "",
    type: "application/json",
    seen: { kind: "object", event: {} },
  },
  {
    what: "text as text",
    body: "{not json",
    type: "text/plain",
    seen: { kind: "string", event: "{not json" },
  },
  {
    what: "anything else as bytes",
    body: new Uint8Array([0, 255, 10]),
    type: "application/octet-stream",
    seen: { kind: "bytes", event: "00ff0a" },
  },
  {
    what: "JSON as its value though curl calls it a form",
    body: '{"name":"Ada"}',
    type: "application/x-www-form-urlencoded",
    seen: { kind: "object", event: { name: "Ada" } },
  },
  {
    what: "a form as bytes",
    body: "a=1",
    type: "application/x-www-form-urlencoded",
    seen: { kind: "bytes", event: "613d31" },
  },
];

test("a zip and a tar of code run as their files would", async () => {
  const files = [
    { path: "index.mjs", text: 'export { handler } from "./lib/word.mjs";' },
    { path: "lib/word.mjs", text: 'export const handler = (event) => "said " + event;' },
  ];
  for (const archive of [zipOf(...files), tarOf(...files), tarGzOf(...files)]) {
    const code = { archive: archive.toString("base64") };
    await server.client.deploy("packed", { runtime: "node", code });
    const { body } = await server.client.invoke("packed", { event: '"Ada"' });
    assert.equal(Buffer.from(body).toString(), "said Ada");
  }
});

test("a handler gets its event by its content type", async (t) => {
  await deploy(kindOf);
  for (const { what, body, type, seen } of events) {
    await t.test(what, async () => {
      const response = await call(server, "f", { body, type });
      assert.equal(response.status, 200);
      assert.deepEqual(await response.json(), seen);
    });
  }
});

const answers: { what: string; returned: string; type: string | null; body: string }[] = [
  {
    what: "an object",
    returned: '{ a: [1, "ü"] }',
    type: "application/json",
    body: '{"a":[1,"ü"]}',
  },
  { what: "text", returned: '"plain ü"', type: "text/plain; charset=utf-8", body: "plain ü" },
  {
    what: "bytes",
    returned: 'Buffer.from("ff00", "hex")',
    type: "application/octet-stream",
    body: Buffer.from("ff00", "hex").toString("latin1"),
  },
  { what: "nothing", returned: "undefined", type: "application/json", body: "null" },
  { what: "null", returned: "null", type: "application/json", body: "null" },
  {
    what: "a promise",
    returned: "new Promise((done) => setTimeout(done, 20, 7))",
    type: "application/json",
    body: "7",
  },
];

for (const { what, returned, type, body } of answers) {
  test(`${what} that a handler returns is the answer`, async () => {
    await deploy(`export const handler = () => (${returned});`);
    const response = await call(server, "f");
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), type);
    const bytes = Buffer.from(await response.arrayBuffer());
    assert.equal(bytes.toString(what === "bytes" ? "latin1" : "utf8"), body);
  });
}

const styles: { what: string; source: string; handler?: string }[] = [
  { what: "an exported handler", source: "export const handler = () => 'found';" },
  { what: "a default function", source: "export default () => 'found';" },
  { what: "CommonJS", source: "exports.handler = () => 'found';" },
  { what: "TypeScript", source: "export const handler = (): string => 'found' as string;" },
  {
    what: "the export that is named",
    source: "export const main = () => 'found';",
    handler: "index.main",
  },
  {
    what: "a default object with fetch",
    source: "export default { fetch: () => new Response('found') };",
  },
];

for (const { what, source, handler } of styles) {
  test(`${what} is called`, async () => {
    const files =
      what === "TypeScript" ? { files: [{ path: "index.ts", content: source }] } : { source };
    await server.client.deploy("f", {
      runtime: "node",
      code: files,
      ...(handler !== undefined && { handler }),
    });
    assert.equal(await (await call(server, "f")).text(), "found");
  });
}

test("a fetch-style handler gets a Request and answers with status and headers of its own", async () => {
  await deploy(`export default { async fetch(request, context) {
    const text = await request.text();
    return new Response(request.method + " " + text, {
      status: 418,
      headers: { "x-own": context.functionName, "content-type": "text/tea" },
    });
  } };`);
  const response = await call(server, "f", { body: "tea?", type: "text/plain" });
  assert.equal(response.status, 418);
  assert.equal(response.headers.get("x-own"), "f");
  assert.equal(response.headers.get("content-type"), "text/tea");
  assert.equal(await response.text(), "POST tea?");
  const record = await server.client.invocation(response.headers.get("runlet-invocation-id") ?? "");
  assert.equal(record.status, "succeeded");
});

test("a function's own headers cannot pass for those of Runlet", async () => {
  await deploy(`export default { fetch: () => new Response("x", {
    headers: { "runlet-invocation-id": "forged", "runlet-start": "forged" },
  }) };`);
  const { headers } = await call(server, "f");
  assert.match(headers.get("runlet-invocation-id") ?? "", /^[0-9a-f-]{36}$/);
  assert.match(headers.get("runlet-start") ?? "", /^(?:cold|pooled)$/);
});

test("a function has no say in how its answer travels", async () => {
  await deploy(`export default { fetch: () => new Response("whole", {
    headers: { "content-length": "1", "transfer-encoding": "chunked", connection: "upgrade", upgrade: "h2c" },
  }) };`);
  const response = await call(server, "f");
  assert.equal(await response.text(), "whole");
  assert.equal(response.headers.get("upgrade"), null);
});

test("a fetch-style handler can set several cookies and answer without a body", async () => {
  await deploy(`export default { fetch() {
    const headers = new Headers([["set-cookie", "a=1"], ["set-cookie", "b=2"]]);
    return new Response(null, { status: 204, headers });
  } };`);
  const response = await call(server, "f");
  assert.equal(response.status, 204);
  assert.deepEqual(response.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.equal(await response.text(), "");
});
