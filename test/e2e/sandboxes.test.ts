import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { after, suite, test } from "node:test";
import { ApiError } from "../../api/client/errors.ts";
import type { SandboxView } from "../../api/schema/sandbox.ts";
import { poll, within } from "../../runtime/deadline.ts";
import { shellEntries, tarOf } from "../runtime/image/archives.ts";
import { failingWrites } from "../support/failing-writes.ts";
import { problemOf } from "../support/problem.ts";
import { startTestServer } from "../support/server.ts";

const mebibyte = 1024 * 1024;
const server = await startTestServer({
  overrides: { maxSandboxes: 4, maxSandboxMemoryBytes: 1024 * mebibyte },
});
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const small = { memoryBytes: 128 * mebibyte };

async function ended(id: string, timeoutMs = 15_000): Promise<SandboxView> {
  const probe = async (): Promise<SandboxView | undefined> => {
    const found = await client.getSandbox(id);
    return found.state === "ended" ? found : undefined;
  };
  return await poll("see the sandbox end", probe, { timeoutMs });
}

/** Settles when the server has a request for a path. */
async function arrivalOf(path: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onRequest = (message: unknown): void => {
    if ((message as { request: IncomingMessage }).request.url === path) resolve();
  };
  subscribe("http.server.request.start", onRequest);
  await within(promise, `see a request for ${path}`, 10_000);
  unsubscribe("http.server.request.start", onRequest);
}

const sharing = `
from multiprocessing import Pool
def square(n): return n * n
with Pool(2) as pool: print(pool.map(square, [1, 2, 3]))
`;

suite("sandboxes", () => {
  test("one is opened with defaults, found by its metadata, and on record when it has ended", async () => {
    const { id, state, cwd, user } = await client.createSandbox({
      ...small,
      metadata: { of: "test one" },
    });
    assert.deepEqual(
      { state, cwd, user },
      { state: "running", cwd: "/home/runlet", user: "runlet" },
    );
    const found = await client.sandboxes.list({ state: "running", metadata: "of=test+one" });
    assert.deepEqual(
      found.items.map((each) => each.id),
      [id],
    );
    assert.deepEqual((await client.sandboxes.list({ metadata: "of=another" })).items, []);
    await client.removeSandbox(id);
    assert.equal((await client.getSandbox(id)).endReason, "deleted");
    const types = (await client.sandboxEvents(id)).items.map(({ type }) => type);
    assert.deepEqual(types, ["created", "ended"]);
    assert.equal((await problemOf(client.runCommand(id, { command: "true" }))).code, "not_found");
  });

  test("files and processes of one are not seen in another", async () => {
    const [a, b] = await Promise.all([client.createSandbox(small), client.createSandbox(small)]);
    await client.writeFile(a.id, "mine", "secret");
    await client.startCommand(a.id, { command: "sleep 400" });
    assert.equal((await problemOf(client.readText(b.id, "mine"))).code, "not_found");
    const seen = await client.runCommand(b.id, { command: "pgrep -x sleep | wc -l", user: "root" });
    assert.equal(seen.stdout.text, "0\n");
    await Promise.all([client.removeSandbox(a.id), client.removeSandbox(b.id)]);
  });

  test("the channel of its agent is opened by no other user inside", async () => {
    const { id } = await client.createSandbox(small);
    for (const command of ["exec 3< /proc/1/fd/0", "echo > /proc/1/fd/1", "echo > /proc/1/fd/2"]) {
      const { stderr } = await client.runCommand(id, { command });
      assert.match(stderr.text, /ermission denied/);
    }
    await client.removeSandbox(id);
  });

  test("its timeout ends it, unless that is set anew", async () => {
    const { id } = await client.createSandbox({ ...small, timeoutMs: 1000 });
    const longer = await client.changeSandbox(id, { timeoutMs: 2500 });
    assert.ok(longer.expiresAtUs > longer.createdAtUs + 2_500_000);
    const { endReason, endedAtUs = 0, createdAtUs } = await ended(id);
    assert.equal(endReason, "timeout");
    assert.ok(endedAtUs - createdAtUs >= 2_500_000);
  });

  test("it ends when it has been idle, which polling does not change and a running command does", async () => {
    const { id } = await client.createSandbox({ ...small, idleTimeoutMs: 1000 });
    const { exitCode } = await client.runCommand(id, { command: "sleep 1.5" });
    assert.equal(exitCode, 0);
    const look = async (): Promise<unknown> =>
      await Promise.all([
        client.sandboxStats(id),
        client.commands(id),
        client.statFile(id, "/tmp"),
        client.listFiles(id, "/tmp"),
      ]).catch((error: unknown) => error);
    const isGone = async (): Promise<true | undefined> =>
      (await look()) instanceof ApiError ? true : undefined;
    await poll("see it end while it is looked at", isGone, { timeoutMs: 10_000 });
    assert.equal((await ended(id)).endReason, "idle");
  });

  test("who asks for the head of what streams keeps nothing from being idle", async () => {
    const { id } = await client.createSandbox({ ...small, idleTimeoutMs: 1000 });
    const command = await client.startCommand(id, {
      command: "head -c 300000 /dev/zero > large; echo; sleep 300",
    });
    for await (const event of client.followCommand(id, command.id)) {
      if (event.type === "output") break;
    }
    for (const path of [
      `commands/${command.id}/output`,
      "files?path=large",
      "files/archive?path=.",
    ]) {
      const head = await server.fetch(`/v1/sandboxes/${id}/${path}`, { method: "HEAD" });
      assert.equal(head.status, 200, path);
    }
    assert.equal((await ended(id)).endReason, "idle");
  });

  test("a timeout may pause it instead; resumed, it goes on where it was", async () => {
    const { id } = await client.createSandbox({ ...small, timeoutMs: 1000, onTimeout: "pause" });
    const { id: counting } = await client.startCommand(id, {
      command: "i=0; while true; do i=$((i+1)); echo $i > new; mv new count; sleep 0.05; done",
    });
    const paused = async (): Promise<true | undefined> =>
      (await client.getSandbox(id)).state === "paused" ? true : undefined;
    await poll("see it paused", paused, { timeoutMs: 10_000 });
    const { code } = await problemOf(client.readText(id, "count"));
    assert.equal(code, "failed_precondition");
    const usedUs = async (): Promise<number> => (await client.sandboxStats(id)).now.cpuUs;
    const stands = async (): Promise<true | undefined> =>
      (await usedUs()) === (await usedUs()) ? true : undefined;
    await poll("see its processor time stand", stands, { timeoutMs: 10_000 });
    await client.resumeSandbox(id);
    const before = Number(await client.readText(id, "count"));
    const more = async (): Promise<true | undefined> =>
      Number(await client.readText(id, "count")) > before ? true : undefined;
    await poll("see it count on", more, { timeoutMs: 10_000 });
    assert.equal((await client.command(id, counting)).endedAtUs, undefined);
    await client.removeSandbox(id);
    assert.equal((await client.command(id, counting)).reason, "deleted");
  });

  test("paused by a request it stays beyond both of its timeouts, which begin anew when it goes on", async () => {
    const times = { timeoutMs: 1500, idleTimeoutMs: 1000 };
    const { id, expiresAtUs } = await client.createSandbox({ ...small, ...times });
    await client.pauseSandbox(id);
    const isBeyond = (): true | undefined => Date.now() * 1000 > expiresAtUs + 200_000 || undefined;
    await poll("see both be over", isBeyond, { timeoutMs: 10_000 });
    assert.equal((await client.getSandbox(id)).state, "paused");
    const resumedAtUs = Date.now() * 1000;
    const resumed = await client.resumeSandbox(id);
    assert.ok(resumed.expiresAtUs >= resumedAtUs + 1_500_000);
    const { endReason, endedAtUs = 0 } = await ended(id);
    assert.equal(endReason, "idle");
    assert.ok(endedAtUs >= resumedAtUs + 1_000_000);
  });

  test("a paused one resumes by itself at the next request, if that was asked for", async () => {
    const { id } = await client.createSandbox({ ...small, autoResume: true });
    await client.pauseSandbox(id);
    const { stdout } = await client.runCommand(id, { command: "echo awake" });
    assert.equal(stdout.text, "awake\n");
    assert.equal((await client.getSandbox(id)).state, "running");
    await client.removeSandbox(id);
  });

  test("one whose caller has gone away before the answer is ended, and so are copies", async () => {
    const { id: original } = await client.createSandbox(small);
    const opened = async (): Promise<SandboxView[]> =>
      (await client.sandboxes.list({ metadata: "of=nobody" })).items;
    const metadata = { of: "nobody" };
    const requests: [string, object][] = [
      ["/v1/sandboxes", { ...small, metadata }],
      [`/v1/sandboxes/${original}/fork`, { count: 2, metadata }],
    ];
    for (const [path, body] of requests) {
      const leave = new AbortController();
      const headers = { "content-type": "application/json" };
      const init = { method: "POST", headers, body: JSON.stringify(body), signal: leave.signal };
      const arrived = arrivalOf(path);
      const asked = server.fetch(path, init);
      await arrived;
      leave.abort();
      await assert.rejects(asked);
    }
    // All of the room is there again.
    const open = await poll(
      "open as many as may be",
      async () => {
        const tries = [1, 2, 3].map(async () => await client.createSandbox(small));
        const settled = await Promise.allSettled(tries);
        const ids = settled.flatMap((each) => (each.status === "fulfilled" ? [each.value.id] : []));
        if (ids.length === 3) return ids;
        await Promise.all(ids.map(async (id) => await client.removeSandbox(id)));
        return undefined;
      },
      { timeoutMs: 20_000 },
    );
    assert.deepEqual(
      (await opened()).filter(({ state }) => state !== "ended"),
      [],
    );
    await Promise.all([original, ...open].map(async (id) => await client.removeSandbox(id)));
  });

  test("one that ends while nothing can be written gives its place free, and is on record later", async () => {
    const { id } = await client.createSandbox({ ...small, memoryBytes: 1024 * mebibyte });
    {
      using _failing = failingWrites(server.config.dataDir, "UPDATE ON sandboxes");
      await client.removeSandbox(id);
      const { id: next } = await client.createSandbox({ ...small, memoryBytes: 1024 * mebibyte });
      await client
        .runCommand(next, { command: "kill -SEGV 1", user: "root" })
        .catch(() => undefined);
      assert.equal((await client.getSandbox(id)).state, "running");
    }
    assert.equal((await ended(id)).endReason, "deleted");
  });

  test("one whose pause cannot be written goes on, and is paused when it can", async () => {
    const { id } = await client.createSandbox({ ...small, timeoutMs: 1000, onTimeout: "pause" });
    const stateOf = async (): Promise<string> => (await client.getSandbox(id)).state;
    {
      using _failing = failingWrites(server.config.dataDir, "UPDATE ON sandboxes");
      const overAtMs = performance.now() + 1500;
      const isOver = (): true | undefined => performance.now() > overAtMs || undefined;
      await poll("see its time pass", isOver, { timeoutMs: 10_000 });
      assert.equal((await client.runCommand(id, { command: "true" })).exitCode, 0);
      assert.equal(await stateOf(), "running");
    }
    const paused = async (): Promise<true | undefined> =>
      (await stateOf()) === "paused" ? true : undefined;
    await poll("see it paused", paused, { timeoutMs: 10_000 });
    await client.removeSandbox(id);
  });

  test("more memory than it may have ends it with oom", async () => {
    const { id } = await client.createSandbox(small);
    const command = "python3 -c 'x = bytearray(400 << 20); print(len(x))'";
    await client.runCommand(id, { command }).catch(() => undefined);
    assert.equal((await ended(id)).endReason, "oom");
  });

  test("a full /tmp is told to who writes there, and nothing else breaks", async () => {
    const { id } = await client.createSandbox({ ...small, tmpBytes: 2 * mebibyte });
    const problem = await problemOf(client.writeFile(id, "/tmp/big", Buffer.alloc(3 * mebibyte)));
    assert.equal(problem.code, "resource_exhausted");
    assert.match(problem.detail, /write \/tmp\/big: no space/);
    assert.deepEqual((await client.listFiles(id, "/tmp")).entries, []);
    assert.equal((await client.runCommand(id, { command: "true" })).exitCode, 0);
    await client.removeSandbox(id);
  });

  for (const image of ["default", "host"]) {
    test(`in the image ${image} and in copies processes of Python share memory, of which there is so much`, async () => {
      const { id } = await client.createSandbox({ ...small, image, tmpBytes: 8 * mebibyte });
      const shares = await client.runCommand(id, { args: ["python3", "-c", sharing] });
      assert.deepEqual([shares.stdout.text, shares.stderr.text], ["[1, 4, 9]\n", ""]);
      const [copy] = await client.forkSandbox(id);
      const again = await client.runCommand(copy?.id ?? "", { args: ["python3", "-c", sharing] });
      assert.deepEqual([again.stdout.text, again.stderr.text], ["[1, 4, 9]\n", ""]);
      await client.removeSandbox(copy?.id ?? "");
      const command = "head -c 16000000 /dev/zero > /dev/shm/full";
      assert.match((await client.runCommand(id, { command })).stderr.text, /No space left/);
      await client.removeSandbox(id);
    });
  }

  const unfit: [what: string, script: string | undefined, fact: RegExp][] = [
    ["without python3", undefined, /its agent needs python3, and it has none/],
    ["with one that does not run", "exit 3", /and that of the image ended with code 3/],
  ];
  for (const [what, script, fact] of unfit) {
    test(`an image ${what} is told to be of no use`, async () => {
      const entries = await shellEntries();
      const content = `#!/bin/sh\n${script}\n`;
      if (script !== undefined) entries.push({ path: "usr/bin/python3", content, mode: 0o755 });
      const name = `unfit-${process.pid}`;
      await client.addImage(name, Readable.from([tarOf(entries)]));
      const refusal = await problemOf(client.createSandbox({ ...small, image: name }));
      await client.removeImage(name);
      assert.deepEqual([refusal.status, refusal.code], [409, "failed_precondition"]);
      assert.match(refusal.detail, fact);
    });
  }

  test("a full machine says so, by number and by memory", async () => {
    const open = await Promise.all(
      Array.from({ length: 4 }, async () => await client.createSandbox(small)),
    );
    const { code, detail } = await problemOf(client.createSandbox(small));
    assert.equal(code, "resource_exhausted");
    assert.match(detail, /4 are open/);
    await client.removeSandbox(open[0]?.id ?? "");
    const large = await problemOf(client.createSandbox({ memoryBytes: 700 * mebibyte }));
    assert.match(large.detail, /bytes of memory/);
    await Promise.all(open.slice(1).map(async ({ id }) => await client.removeSandbox(id)));
  });

  const lists: [string, RegExp][] = [
    ["fe80::1", /fe80::1/],
    ["http://example.org", /http:\/\/example\.org/],
    ["10.0.0.0/33", /10\.0\.0\.0\/33/],
  ];
  for (const [entry, detail] of lists) {
    test(`a network that allows ${entry} is refused`, async () => {
      const problem = await problemOf(
        client.createSandbox({ ...small, network: { allow: [entry] } }),
      );
      assert.equal(problem.code, "invalid_argument");
      assert.match(problem.detail, detail);
    });
  }
});
