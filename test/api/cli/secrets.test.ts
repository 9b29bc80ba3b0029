import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startTestServer } from "../../support/server.ts";
import { runlet } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { url } = server;

test("a secret is set from standard input, listed, given to a function and deleted", async () => {
  assert.match((await runlet(["secrets"], { url })).stderr, /^No secrets yet/);
  const set = await runlet(["secrets", "set", "word"], { url, input: "sesame" });
  assert.deepEqual([set.exitCode, set.stdout], [0, "Set word\n"]);
  assert.match((await runlet(["secrets"], { url })).stdout, /^NAME +SET\nword +\d/);
  const deploy = ["deploy", "--name", "says", "--secret", "WORD=word", "--"];
  assert.equal((await runlet([...deploy, "sh", "-c", "printf %s $WORD"], { url })).exitCode, 0);
  assert.equal((await runlet(["invoke", "says"], { url })).stdout, "sesame");
  const kept = await runlet(["secrets", "rm", "word"], { url });
  assert.equal(kept.exitCode, 1);
  assert.match(kept.stderr, /version 1 of function says needs it/);
  await runlet(["functions", "rm", "says"], { url });
  assert.equal((await runlet(["secrets", "rm", "word"], { url })).stdout, "Deleted word\n");
});

test("a secret without a name is a wrong command line", async () => {
  const { exitCode, stderr } = await runlet(["deploy", "--secret", "WORD", "--", "true"], { url });
  assert.equal(exitCode, 2);
  assert.match(stderr, /Expected NAME=secret/);
});
