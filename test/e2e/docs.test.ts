import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { problemIn } from "../support/problem.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const types: Readonly<Record<string, RegExp>> = {
  js: /^text\/javascript\b/,
  css: /^text\/css\b/,
  png: /^image\/png$/,
};

let server: TestServer;
let page: Response;
let html: string;
before(async () => {
  server = await startTestServer();
  page = await server.fetch("/docs");
  html = await page.text();
});
after(async () => await server[Symbol.asyncDispose]());

test("the page of the API names files of this server alone, and each is served with its type", async () => {
  assert.equal(page.status, 200);
  assert.match(page.headers.get("content-type") ?? "", /^text\/html; charset=utf-8/i);
  assert.doesNotMatch(html, /https?:|\/\//);
  const named = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
  assert.ok(named.length >= 4);
  for (const path of named) {
    const file = await fetch(new URL(path, page.url));
    assert.equal(file.status, 200, path);
    const type = types[path.split(".").at(-1) ?? ""] ?? /^$/;
    assert.match(file.headers.get("content-type") ?? "", type, path);
    assert.equal(file.headers.get("x-content-type-options"), "nosniff");
    assert.ok((await file.bytes()).length > 0, path);
  }
});

test("the page shows the OpenAPI document of this server", async () => {
  const script = await (await server.fetch("/docs/start.js")).text();
  const [, path = ""] = /url: "([^"]+)"/.exec(script) ?? [];
  const { openapi } = (await (await fetch(new URL(path, page.url))).json()) as { openapi: string };
  assert.match(openapi, /^3\.1\./);
});

test("the page may load nothing from elsewhere, and run no script or style inside of it", () => {
  const policy = page.headers.get("content-security-policy") ?? "";
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
  assert.doesNotMatch(policy, /unsafe|\*|https?:/);
  assert.doesNotMatch(html, /<script>|<style|\son\w+=/);
});

for (const path of ["index.html", "..%2fpackage.json", "swagger-ui.js"]) {
  test(`no other file is served: ${path}`, async () => {
    assert.equal((await problemIn(await server.fetch(`/docs/${path}`))).code, "not_found");
  });
}
