import assert from "node:assert/strict";
import { after, test } from "node:test";
import { join } from "node:path";
import { apiKeyFor } from "../../../api/cli/api-key.ts";
import { startTestServer } from "../../support/server.ts";
import { runlet } from "./runlet.ts";

const server = await startTestServer({ overrides: { auth: "required" } });
after(async () => await server[Symbol.asyncDispose]());
const { url } = server;
const { dataDir } = server.config;
const env = { RUNLET_DATA_DIR: dataDir };

test("a key is made with the first key of this account's server, used, listed, shown and revoked", async () => {
  const create = ["key", "create", "ci", "--scope", "invoke", "deploy", "--expires-in-days", "1"];
  const limits = ["--max-sandboxes", "2", "--rate", "50", "--burst", "100"];
  const made = await runlet([...create, ...limits], { url, env });
  assert.equal(made.exitCode, 0, made.stderr);
  const [, id = ""] = /^rlk_([0-9a-f]{20})_[0-9a-f]{64}\n$/.exec(made.stdout) ?? [];
  assert.match(made.stderr, new RegExp(`^Key ${id} of ci: keep it, it is not shown again`));
  const own = { RUNLET_API_KEY: made.stdout };
  assert.match((await runlet(["functions"], { url, env: own })).stderr, /^No functions/);
  const list = await runlet(["key"], { url, env });
  assert.match(list.stdout, new RegExp(`^ID .*\n${id} +ci +invoke,deploy .*\n.* first +admin `));
  const shown = JSON.parse((await runlet(["key", "show", id], { url, env })).stdout) as object;
  assert.partialDeepStrictEqual(shown, {
    scopes: ["invoke", "deploy"],
    limits: { maxSandboxes: 2, requestRate: { perSecond: 50, burst: 100 } },
  });
  const forbidden = await runlet(["key"], { url, env: own });
  assert.equal(forbidden.exitCode, 1);
  assert.match(forbidden.stderr, /scope invoke and deploy, and this takes admin/);
  const revoked = await runlet(["key", "revoke", id], { url, env });
  assert.equal(revoked.stdout, `Revoked ${id}\n`);
  assert.match((await runlet(["functions"], { url, env: own })).stderr, /was revoked/);
});

test("without a key, a command says where to have one from", async () => {
  const { exitCode, stderr } = await runlet(["functions"], { url, env: { RUNLET_DATA_DIR: "/" } });
  assert.equal(exitCode, 1);
  assert.match(stderr, /brings no key.*RUNLET_API_KEY.*admin\.key.*\(unauthenticated\)/s);
});

test("the first key goes to no server but one of this machine", () => {
  const own = { RUNLET_DATA_DIR: dataDir };
  assert.match(apiKeyFor("http://127.0.0.1:7070", own) ?? "", /^rlk_/);
  assert.match(apiKeyFor("http://[::1]:7070", own) ?? "", /^rlk_/);
  for (const elsewhere of ["https://runlet.example", "http://127.0.0.1@runlet.example", "x"]) {
    assert.equal(apiKeyFor(elsewhere, own), undefined);
  }
  const given = { RUNLET_API_KEY: "rlk_given\n", ...own };
  assert.equal(apiKeyFor("https://runlet.example", given), "rlk_given");
  assert.equal(apiKeyFor(url, { RUNLET_DATA_DIR: join(dataDir, "nothing") }), undefined);
});
