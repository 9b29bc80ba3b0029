import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Alias } from "../../../api/schema/alias.ts";
import { startTestServer } from "../../support/server.ts";
import { runlet } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { url, client } = server;

before(async () => {
  for (const text of ["1", "2", "3"]) {
    await client.deploy("hello", { runtime: "command", command: ["echo", "-n", text] });
  }
});

/** Runs a command that must succeed, and answers what it printed. */
async function printed(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runlet(args, { url });
  assert.equal(exitCode, 0, stderr);
  return stdout;
}

test("versions lists them from the newest and tells how to see more", async () => {
  const all = await printed("versions", "hello");
  assert.match(all, /^VERSION {2}RUNTIME {2}IMAGE +DEPLOYED +CODE\n3 +command .*\n2 .*\n1 .*\n$/);
  const some = await runlet(["versions", "hello", "--limit", "1"], { url });
  assert.equal(some.stderr, "There are more: add --before 3\n");
  const page = JSON.parse(await printed("versions", "hello", "--before", "3", "--json")) as {
    items: { version: number }[];
  };
  assert.deepEqual(
    page.items.map(({ version }) => version),
    [2, 1],
  );
});

test("an alias is set, given a share, rolled back, listed and deleted", async () => {
  assert.equal((await runlet(["alias", "ls", "hello"], { url })).stderr, "No aliases of hello.\n");
  const set = await printed("alias", "set", "hello", "live", "2", "--description", "for all");
  assert.equal(set, "hello:live sends calls to version 2\n");
  assert.equal(await printed("invoke", "hello:live"), "2");
  assert.equal(
    await printed("alias", "set", "hello", "live", "3", "--weight", "0.25"),
    "hello:live sends calls to version 2, and a share of 0.25 to version 3\n",
  );
  assert.match(
    await printed("alias", "ls", "hello"),
    /^ALIAS +VERSION +SECOND +WEIGHT +CHANGED +DESCRIPTION\nlive +2 +3 +0\.25 .* for all\n$/,
  );
  const ended = JSON.parse(await printed("rollback", "hello", "live", "--json")) as Alias;
  assert.deepEqual([ended.version, ended.second, ended.description], [2, undefined, "for all"]);
  assert.equal(await printed("rollback", "hello", "live"), "hello:live sends calls to version 1\n");
  const first = await runlet(["rollback", "hello", "live"], { url });
  assert.equal(first.exitCode, 1);
  assert.match(first.stderr, /hello:live: there is no version before 1/);
  const held = await runlet(["alias", "rm", "hello", "live", "--if-match", ended.revisionId], {
    url,
  });
  assert.match(held.stderr, /\(condition_not_met\)/);
  assert.equal(await printed("alias", "rm", "hello", "live"), "Deleted hello:live\n");
  const again = await runlet(["alias", "rm", "hello", "live"], { url });
  assert.equal(again.exitCode, 1);
  assert.match(again.stderr, /\(not_found\)/);
});

test("a share of an alias that there is not, and a weight that is none, are refused", async () => {
  const missing = await runlet(["alias", "set", "hello", "new", "1", "--weight", "0.5"], { url });
  assert.equal(missing.exitCode, 1);
  assert.match(missing.stderr, /alias new of function hello: it does not exist/);
  for (const weight of ["2", "-0.1", "half", ""]) {
    const args = ["alias", "set", "hello", "live", "1", `--weight=${weight}`];
    const { exitCode, stderr } = await runlet(args, { url });
    assert.equal(exitCode, 2);
    assert.match(stderr, /Expected 0 to 1/);
  }
});

test("a qualifier beside the name's own is refused unless it is the same", async () => {
  const { exitCode, stderr } = await runlet(["invoke", "hello:1", "--qualifier", "2"], { url });
  assert.equal(exitCode, 1);
  assert.match(stderr, /hello:1: the query names the qualifier 2.*\(invalid_argument\)/);
  assert.equal(await printed("invoke", "hello:1", "--qualifier", "1"), "1");
});
