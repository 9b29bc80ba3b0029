import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { problemOf } from "../support/problem.ts";
import { cgroupsOf, leftoversOf, nothingLeft, sandboxesOf } from "../support/sandboxes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const timeoutMs = 1_000;

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => await server[Symbol.asyncDispose]());

const spinners: { what: string; spec: FunctionSpecInput }[] = [
  {
    what: "a node handler that spins",
    spec: {
      runtime: "node",
      code: { source: "export const handler = () => { console.log('spin'); for (;;); };" },
    },
  },
  {
    what: "a node handler that never answers",
    spec: {
      runtime: "node",
      code: {
        source: `export const handler = () => {
          console.log('spin');
          setInterval(() => {}, 1000);
          return new Promise(() => {});
        };`,
      },
    },
  },
  {
    what: "a python handler that spins",
    spec: {
      runtime: "python",
      code: { source: "def handler(event, context):\n    print('spin')\n    while True: pass" },
    },
  },
  {
    what: "a program that spins and ignores signals",
    spec: {
      runtime: "command",
      command: ["/bin/sh", "-c", "trap '' TERM INT HUP; echo spin; while :; do :; done"],
    },
  },
  {
    what: "a program whose children spin",
    spec: {
      runtime: "command",
      command: ["/bin/sh", "-c", "echo spin; (while :; do :; done) & (sleep 600) & wait"],
    },
  },
];

for (const { what, spec } of spinners) {
  test(`${what} ends at its timeout and leaves nothing`, async () => {
    await server.client.deploy("spinner", { ...spec, timeoutMs });
    const problem = await problemOf(server.client.invoke("spinner"));
    assert.equal(problem.status, 504);
    assert.equal(problem.code, "function_timeout");
    assert.match(problem.detail, /timed out after 1000 ms/);
    assert.equal(problem.exit?.reason, "timeout");
    const record = await server.client.invocation(problem.invocationId ?? "");
    assert.equal(record.status, "timed_out");
    assert.equal(record.exitReason, "timeout");
    assert.equal(record.exitSignal, "SIGKILL");
    assert.equal(record.error?.code, "function_timeout");
    assert.equal(record.stdout, "spin\n");
    assert.ok((record.runUs ?? 0) >= timeoutMs * 1000, "it had all of its time");
    assert.ok(record.containerId);
    await nothingLeft(server.config.stateDir);
    assert.deepEqual(cgroupsOf(record.containerId), []);
  });
}

test("what a running function takes of the host can be seen, and so can that it is gone", async () => {
  const { stateDir } = server.config;
  await server.client.deploy("seen", { runtime: "command", command: ["sleep", "600"], timeoutMs });
  let seen: string[] = [];
  const looking = setInterval(() => {
    if (sandboxesOf(stateDir).length > 0) seen = leftoversOf(stateDir);
  }, 50);
  try {
    await problemOf(server.client.invoke("seen"));
  } finally {
    clearInterval(looking);
  }
  assert.ok(
    seen.some((left) => left.startsWith("process runsc-sandbox")),
    "processes",
  );
  assert.ok(
    seen.some((left) => left.startsWith("file bundles/")),
    "bundles",
  );
  await nothingLeft(stateDir);
});

test("a function that answers in time is not stopped by its timeout afterwards", async () => {
  await server.client.deploy("quick", {
    runtime: "node",
    code: { source: "export const handler = () => 'done';" },
    timeoutMs,
  });
  const answer = await server.client.invoke("quick");
  assert.equal(Buffer.from(answer.body).toString(), "done");
  await nothingLeft(server.config.stateDir);
  const record = await server.client.invocation(answer.invocationId);
  assert.deepEqual([record.status, record.exitReason, record.exitCode], ["succeeded", "exited", 0]);
});
