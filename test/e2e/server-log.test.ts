import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Client } from "../../api/client/client.ts";
import { poll } from "../../runtime/deadline.ts";
import { openDatabase } from "../../store/database.ts";
import { type ChildServer, startChildServer } from "../support/child-server.ts";
import { problemOf } from "../support/problem.ts";

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
const error = 50;
/** What must be in no line. */
const hidden = {
  secret: "s3cr3t-value",
  event: "of-the-event",
  path: "of-the-path",
  query: "of-the-query",
};
const source = `export const handler = (event) => {
  if (event?.fail) throw new Error("${hidden.event}");
  return process.env.SECRET;
};`;

let server: ChildServer;
let client: Client;
let key: string;
before(async () => {
  server = await startChildServer({ env: { RUNLET_AUTH: "required", RUNLET_LOG_LEVEL: "debug" } });
  key = readFileSync(join(server.dataDir, "admin.key"), "utf8").trim();
  client = new Client({ url: server.url, apiKey: key });
  await client.setSecret("secret", hidden.secret);
  const secrets = { SECRET: "secret" };
  await client.deploy("f", { runtime: "node", code: { source }, secrets, http: { public: true } });
  await client.deploy("missing", { runtime: "command", command: ["nowhere"] });
});
after(async () => await server[Symbol.asyncDispose]());

type Line = Readonly<Record<string, unknown>>;

/** The first line that has all of these. */
async function lineWith(wanted: Line): Promise<Line> {
  const has = (line: Line): boolean =>
    Object.entries(wanted).every(([name, value]) => line[name] === value);
  const probe = (): Line | undefined =>
    server
      .log()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Line)
      .find(has);
  return await poll(`see ${JSON.stringify(wanted)}`, probe, { timeoutMs: 20_000 });
}

test("at the level debug each request that is answered is a line with its route and its ids", async () => {
  const event = `"${hidden.event}"`;
  const { invocationId } = await client.invoke("f", { event, traceparent });
  const line = await lineWith({ msg: "request", invocationId });
  const { method, route, status, keyId, functionName, traceId } = line;
  assert.deepEqual(
    { method, route, status, keyId, functionName, traceId },
    {
      method: "POST",
      route: "/v1/functions/{name}/invocations",
      status: 200,
      keyId: key.slice("rlk_".length).split("_")[0],
      functionName: "f",
      traceId: trace,
    },
  );
  assert.ok(Number(line["ms"]) > 0);
  assert.match(String(line["requestId"]), /^[0-9a-f-]{36}$/);
});

test("a caller who leaves in the middle of an upload is no failure of the server", async () => {
  await using box = await client.sandboxes.open({ memoryBytes: 128 * 1024 * 1024 });
  for (const [what, route] of [
    ["files", "/v1/sandboxes/{id}/files"],
    ["files/archive", "/v1/sandboxes/{id}/files/archive"],
  ] as const) {
    const upload = request(`${server.url}/v1/sandboxes/${box.id}/${what}?path=upload`, {
      method: "PUT",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/octet-stream" },
    });
    upload.on("error", () => undefined);
    upload.write(Buffer.alloc(100_000), () => upload.destroy());
    const line = await lineWith({ msg: "request", route, status: 499 });
    assert.notEqual(line["level"], error);
  }
  assert.doesNotMatch(server.log(), /"code":"internal"/);
});

test("who is refused is told the request's id, by which the log has it", async () => {
  const refused = await fetch(`${server.url}/v1/sandboxes/${hidden.path}`, { method: "DELETE" });
  assert.equal(refused.status, 401);
  const requestId = refused.headers.get("runlet-request-id");
  const { method, route, status } = await lineWith({ msg: "request", requestId });
  assert.deepEqual(
    { method, route, status },
    { method: "DELETE", route: "/v1/sandboxes/{id}", status: 401 },
  );
});

test("a call that fails by no doing of its function is an error in the log, with all ids", async () => {
  const answer = await fetch(`${server.url}/v1/functions/missing/invocations`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
  });
  assert.equal(answer.status, 500);
  const requestId = answer.headers.get("runlet-request-id");
  const invocationId = answer.headers.get("runlet-invocation-id");
  const about = { invocationId, functionName: "missing", code: "runtime_failed", level: error };
  const { route, traceId } = await lineWith({ msg: "request failed", requestId, ...about });
  assert.equal(route, "/v1/functions/{name}/invocations");
  assert.equal(traceId, answer.headers.get("runlet-trace-id"));
  assert.ok((await lineWith({ msg: "invocation failed", traceId, ...about }))["containerId"]);
});

test("an event whose attempt fails so is an error with the event's id, though no request waits", async () => {
  const { eventId } = await client.invokeAsync("missing", { event: "1" });
  const line = await lineWith({ msg: "invocation failed", eventId, level: error });
  assert.match(String(line["invocationId"]), /^[0-9a-f-]{36}$/);
});

test("what a function itself fails at is no error of the server's", async () => {
  const refused = await problemOf(client.invoke("f", { event: '{"fail":1}' }));
  assert.equal(refused.code, "function_error");
  const { invocationId } = refused;
  assert.equal((await lineWith({ msg: "request", invocationId }))["status"], 502);
  assert.ok(!server.log().includes(`"code":"function_error"`));
});

test("where the record cannot be written, what waits for an answer and what does not are told apart by ids", async () => {
  using database = openDatabase(join(server.dataDir, "runlet.db"));
  const trigger = "CREATE TRIGGER full BEFORE INSERT ON invocations";
  database.connection.exec(`${trigger} BEGIN SELECT RAISE(ABORT, 'disk full'); END`);
  const failed = await problemOf(
    client.invoke("f", { event: "1", traceparent: traceparent.replace("4bf9", "5bf9") }),
  );
  const url = `${server.url}/f/f/${hidden.path}?${hidden.query}`;
  const requestId = (await fetch(url)).headers.get("runlet-request-id");
  database.connection.exec("DROP TRIGGER full");
  assert.equal(failed.code, "internal");
  const asked = await lineWith({ msg: "request failed", requestId, code: "internal" });
  assert.deepEqual([asked["route"], asked["functionName"]], ["/f/{target}/*", "f"]);
  assert.match(String(asked["error"]), /disk full[\s\S]*\n +at /);
  const about = { traceId: trace.replace("4bf9", "5bf9"), functionName: "f", level: error };
  const line = await lineWith({ msg: "background failure", ...about });
  assert.match(String(line["invocationId"]), /^[0-9a-f-]{36}$/);
  assert.match(String(line["error"]), /disk full/);
});

test("no key, secret, event, path or query is in the log", () => {
  const secretPart = key.split("_").at(-1) ?? "";
  for (const text of [...Object.values(hidden), key, secretPart]) {
    assert.ok(!server.log().includes(text), text);
  }
});
