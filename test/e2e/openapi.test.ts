import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { z } from "zod";
import { createApp } from "../../api/app.ts";
import type { ErrorCode } from "../../api/domain/errors.ts";
import { describedMethods } from "../../api/routes/any-method.ts";
import { problems } from "../../api/routes/problem.ts";
import { aliasTarget, newAlias } from "../../api/schema/alias.ts";
import { batchRequest } from "../../api/schema/batch.ts";
import { functionConcurrency } from "../../api/schema/concurrency.ts";
import { deadLettersOf } from "../../api/schema/event.ts";
import { executeRequest } from "../../api/schema/execute.ts";
import { functionSpec } from "../../api/schema/function.ts";
import { newKey } from "../../api/schema/key.ts";
import { scheduleSpec } from "../../api/schema/schedule.ts";
import { secretValue } from "../../api/schema/secret.ts";
import { mcpMessage } from "../../api/schema/mcp.ts";
import { mkdirRequest, moveRequest } from "../../api/schema/sandbox-file.ts";
import { commandSpec, signalRequest, terminalSize } from "../../api/schema/sandbox-command.ts";
import { cellSpec, contextSpec } from "../../api/schema/sandbox-context.ts";
import { sandboxChange, sandboxSpec } from "../../api/schema/sandbox.ts";
import { forkSpec, snapshotSpec } from "../../api/schema/snapshot.ts";
import { webhookSpec } from "../../api/schema/webhook.ts";
import { ApiDocument } from "../support/api-document.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const requests: Readonly<Record<string, z.ZodType>> = {
  SandboxSpec: sandboxSpec,
  SandboxChange: sandboxChange,
  SnapshotSpec: snapshotSpec,
  ForkSpec: forkSpec,
  CommandSpec: commandSpec,
  SignalRequest: signalRequest,
  ContextSpec: contextSpec,
  CellSpec: cellSpec,
  TerminalSize: terminalSize,
  DirectoryRequest: mkdirRequest,
  MoveRequest: moveRequest,
  FunctionSpec: functionSpec,
  ExecuteRequest: executeRequest,
  BatchRequest: batchRequest,
  NewAlias: newAlias,
  AliasTarget: aliasTarget,
  DeadLettersOf: deadLettersOf,
  FunctionConcurrency: functionConcurrency,
  SecretValue: secretValue,
  NewKey: newKey,
  ScheduleSpec: scheduleSpec,
  McpMessage: mcpMessage,
  WebhookSpec: webhookSpec,
};

type Json = Record<string, unknown>;

let server: TestServer;
let document: Json;
before(async () => {
  server = await startTestServer();
  const response = await server.fetch("/openapi.json");
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  document = (await response.json()) as Json;
});
after(async () => await server[Symbol.asyncDispose]());

test("the OpenAPI document names every route that is mounted, and no other", () => {
  // Routes look at what they are given only when they are called.
  const app = createApp({ maxCodeBytes: 1, maxEventBytes: 1 } as Parameters<typeof createApp>[0]);
  const mounted = app.routes
    .filter(({ method, path }) => method !== "ALL" || /^\/f\/:|\/ports\/:/.test(path))
    .filter(({ path }) => path !== "/openapi.json")
    .flatMap(({ method, path }) => {
      const methods = method === "ALL" ? describedMethods : [method];
      const described = path.replaceAll(/:(\w+)/g, "{$1}").replace(/\*$/, "{path}");
      return methods.map((each) => `${each.toUpperCase()} ${described}`);
    });
  const described = Object.entries(document["paths"] as Record<string, Json>).flatMap(
    ([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  assert.deepEqual(described.toSorted(), [...new Set(mounted)].toSorted());
  assert.ok(described.length >= 12);
});

test("every operation says what it does, what it answers and what its path's parameters are", () => {
  assert.match(String(document["openapi"]), /^3\.1\./);
  for (const [path, operations] of Object.entries(document["paths"] as Record<string, Json>)) {
    for (const [method, operation] of Object.entries(operations as Record<string, Json>)) {
      const where = `${method} ${path}`;
      assert.ok(operation["summary"], where);
      const answers = Object.keys(operation["responses"] as Json);
      assert.ok(
        answers.some((status) => /^(?:20\d|101|405)$/.test(status)),
        where,
      );
      if (path.startsWith("/v1/")) assert.ok(answers.includes("500"), where);
      const parameters = (operation["parameters"] ?? []) as { name: string; in: string }[];
      const named = parameters.filter((parameter) => parameter.in === "path");
      assert.deepEqual(
        named.map(({ name }) => name),
        [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
        where,
      );
    }
  }
});

test("every request of JSON has an example, and its schema takes it", () => {
  const { schemas } = document["components"] as { schemas: Record<string, Json> };
  for (const [path, operations] of Object.entries(document["paths"] as Record<string, Json>)) {
    for (const [method, operation] of Object.entries(operations as Record<string, Json>)) {
      const { content } = (operation["requestBody"] ?? {}) as { content?: Record<string, Json> };
      const schema = content?.["application/json"]?.["schema"] as { $ref: string } | undefined;
      if (schema === undefined) continue;
      const name = schema.$ref.split("/").at(-1) ?? "";
      const taken = requests[name]?.safeParse(schemas[name]?.["example"]);
      assert.ok(taken?.success, `${method} ${path}: ${taken?.error?.message ?? name}`);
    }
  }
});

test("what is changed under a condition says that its answers bear the revision for it", () => {
  const { operations } = new ApiDocument(document);
  const conditional = [...operations].filter(([, { parameters = [] }]) =>
    parameters.some(({ name }) => name.toLowerCase() === "if-match"),
  );
  const paths = new Set(conditional.map(([name]) => name.split(" ")[1]));
  assert.ok(paths.size >= 3);
  for (const name of [...paths].flatMap((path) => [`GET ${path}`, `PUT ${path}`])) {
    for (const [status, { headers = {} }] of Object.entries(operations.get(name)?.responses ?? {}))
      if (status.startsWith("20")) assert.ok("ETag" in headers, `${name}: ${status}`);
  }
});

test("every operation has an id of its own and is about something that the document tells of", () => {
  const { operations, tags } = new ApiDocument(document);
  const ids = [...operations.values()].map(({ operationId }) => operationId ?? "");
  for (const id of ids) assert.match(id, /^[a-z][a-zA-Z]+$/);
  assert.equal(new Set(ids).size, ids.length);
  const used = new Set([...operations.values()].flatMap((operation) => operation.tags ?? ["none"]));
  assert.deepEqual([...used].toSorted(), tags.toSorted());
});

test("every body of a request and of an answer has examples, which are as its schema has it", () => {
  const api = new ApiDocument(document);
  for (const [name, { requestBody, responses }] of api.operations) {
    const bodies = [requestBody, ...Object.values(responses)].flatMap((each) =>
      Object.values(each?.content ?? {}),
    );
    for (const media of bodies) {
      const examples = api.examplesOf(media);
      assert.ok(examples.length > 0, name);
      for (const example of examples) assert.deepEqual(api.breaches(media, example), [], name);
    }
  }
});

test("every problem that an operation may have is under the status of its code", () => {
  for (const [name, { responses }] of new ApiDocument(document).operations) {
    if (!name.includes(" /v1/") && !name.includes(" /f/")) continue;
    const told = Object.entries(responses).flatMap(([status, { content = {} }]) =>
      Object.keys(content["application/problem+json"]?.examples ?? {}).map((code) => [
        code,
        status,
      ]),
    );
    assert.ok(told.length > 0, name);
    for (const [code, status] of told) {
      assert.equal(String(problems[code as ErrorCode].status), status, `${name}: ${code}`);
    }
  }
});

test("the document tells every code that the API answers with, its status and what to do", () => {
  const { description } = document["info"] as { description: string };
  const rows = description.matchAll(/^\| `(\w+)` \| (\d{3}) \| ([^|]+) \| ([^|]+) \|$/gm);
  const told = [...rows].map(([, code, status, title, advice]) => [
    code,
    { status: Number(status), title, advice },
  ]);
  assert.deepEqual(Object.fromEntries(told), problems);
});

test("every reference in the OpenAPI document leads somewhere", () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)];
  assert.ok(references.length > 0);
  for (const [, reference = ""] of references) {
    const found = reference
      .slice(2)
      .split("/")
      .reduce<unknown>((at, key) => (at as Json | undefined)?.[key], document);
    assert.ok(found, reference);
  }
});

test("every field and every parameter says what it is", () => {
  assert.deepEqual(undescribed(document, "", document), []);
});

test("a server that is up says that it is alive and ready", async () => {
  const health = await server.fetch("/healthz");
  assert.deepEqual([health.status, await health.json()], [200, { status: "ok" }]);
  const ready = await server.fetch("/readyz");
  assert.deepEqual([ready.status, await ready.json()], [200, { ready: true }]);
});

/** The places of fields and parameters of which neither they nor what they refer to say anything. */
function undescribed(node: unknown, place: string, root: Json): string[] {
  if (typeof node !== "object" || node === null) return [];
  const isNamed = /\/(?:properties|parameters)$/.test(place);
  return Object.entries(node).flatMap(([key, value]: [string, unknown]) => {
    if (!isNamed && ["example", "examples", "default", "enum"].includes(key)) return [];
    const inside = `${place}/${key}`;
    const own = isNamed && !says(value, root) ? [inside] : [];
    return [...own, ...undescribed(value, inside, root)];
  });
}

function says(node: unknown, root: Json): boolean {
  const { description, schema, allOf, $ref } = node as Json;
  if (typeof description === "string" && description !== "") return true;
  const { schemas } = root["components"] as { schemas: Json };
  const referred = typeof $ref === "string" ? schemas[$ref.split("/").at(-1) ?? ""] : undefined;
  const others = [schema, referred, ...((allOf ?? []) as unknown[])];
  return others.some((each) => each !== undefined && says(each, root));
}
