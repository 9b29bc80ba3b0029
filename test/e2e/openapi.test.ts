import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createApp } from "../../api/app.ts";
import { describedMethods } from "../../api/routes/function-url.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

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
    .filter(({ method, path }) => method !== "ALL" || path.startsWith("/f/:"))
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
        answers.some((status) => /^20\d$/.test(status)),
        where,
      );
      if (path.startsWith("/v1/")) assert.ok(answers.includes("4XX"), where);
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

test("a server that is up says that it is alive and ready", async () => {
  const health = await server.fetch("/healthz");
  assert.deepEqual([health.status, await health.json()], [200, { status: "ok" }]);
  const ready = await server.fetch("/readyz");
  assert.deepEqual([ready.status, await ready.json()], [200, { ready: true }]);
});
