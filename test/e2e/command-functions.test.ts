import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call } from "../support/call.ts";
import { problemIn } from "../support/problem.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { archiveOf } from "../support/tar.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => await server[Symbol.asyncDispose]());

test("a command function reads the event, however it is called, and answers what it writes", async () => {
  await server.client.deploy("cat", { runtime: "command", command: ["cat"] });
  const response = await call(server, "cat", { body: "{not json", type: "application/json" });
  assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
  assert.equal(await response.text(), "{not json");
});

test("bytes that are no text pass through a command function unchanged", async () => {
  await server.client.deploy("cat", { runtime: "command", command: ["cat"] });
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const response = await call(server, "cat", { body: bytes, type: "application/octet-stream" });
  assert.equal(response.headers.get("content-type"), "application/octet-stream");
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), bytes);
});

test("a command function runs a program of its code, with its variables and beside its files", async () => {
  await server.client.deploy("own", {
    runtime: "command",
    command: ["./bin/run", "argument"],
    env: { GREETING: "hello" },
    code: archiveOf(
      { path: "bin", type: "5", mode: 0o755 },
      { path: "bin/run", mode: 0o755, text: '#!/bin/sh\necho "$GREETING $1 $(cat data.txt)"\n' },
      { path: "text/data.txt", text: "data" },
      { path: "data.txt", type: "2", link: "text/data.txt" },
    ),
  });
  assert.equal(await (await call(server, "own")).text(), "hello argument data\n");
});

test("a command function that does not exit with 0 fails with what it wrote on record", async () => {
  await server.client.deploy("fails", {
    runtime: "command",
    command: ["/bin/sh", "-c", "echo out; echo err >&2; exit 7"],
  });
  const problem = await problemIn(await call(server, "fails"));
  assert.equal(problem.status, 502);
  assert.deepEqual(problem.exit, { code: 7, reason: "exited" });
  const record = await server.client.invocation(problem.invocationId ?? "");
  assert.deepEqual([record.stdout, record.stderr], ["out\n", "err\n"]);
  assert.equal(record.exitCode, 7);
});

test("a function runs without privileges, network and a writable root", async () => {
  await server.client.deploy("who", {
    runtime: "command",
    command: [
      "/bin/sh",
      "-c",
      "id -u; grep CapEff /proc/self/status; touch /usr/x 2>/dev/null || echo read-only; cat /sys/class/net/*/address 2>/dev/null | sort -u | grep -v 00:00:00:00:00:00 || echo no network; touch /tmp/x && echo writable",
    ],
  });
  const text = await (await call(server, "who")).text();
  assert.equal(text, "1000\nCapEff:\t0000000000000000\nread-only\nno network\nwritable\n");
});
