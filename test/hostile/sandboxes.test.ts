import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import { ApiError } from "../../api/client/errors.ts";
import { poll } from "../../runtime/deadline.ts";
import { startTestServer } from "../support/server.ts";
import { moveIn, watchHost } from "./bystanders.ts";
import { assertSeen, guestSource, placesOf } from "./guest.ts";
import { rootPrograms } from "./sandbox-corpus.ts";

const mebibyte = 1024 * 1024;

await using stack = new AsyncDisposableStack();
const server = stack.use(await startTestServer({ overrides: { poolMax: 2 } }));
const host = stack.use(await watchHost());
const neighbours = stack.use(await moveIn(server));
const owned = stack.move();
after(async () => await owned.disposeAsync());
const { client } = server;
const places = placesOf(server, host);
const limits = { memoryBytes: 96 * mebibyte, diskBytes: 16 * mebibyte, tmpBytes: 4 * mebibyte };

/** Opens a sandbox and runs a guest as root in it; answers what it wrote, and the refusal where nobody is told. */
async function runAsRoot(name: string, timeoutMs = 30_000): Promise<{ id: string; text: string }> {
  const { id } = await client.createSandbox({ ...limits, timeoutMs });
  await client.writeFile(id, "guest.py", guestSource(name));
  try {
    const command = `python3 guest.py '${places}'`;
    const { stdout } = await client.runCommand(id, { command, user: "root" });
    return { id, text: stdout.text };
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    assert.notEqual(error.problem.code, "internal", error.message);
    return { id, text: error.message };
  }
}

suite("a hostile program that is root in a sandbox", { concurrency: 3 }, () => {
  for (const { name, tries, ends, sees } of rootPrograms) {
    test(`and tries ${tries} harms nobody`, async () => {
      const { id, text } = await runAsRoot(name, ends === "timeout" ? 4_000 : undefined);
      if (sees !== undefined) assertSeen(JSON.parse(text) as object, sees);
      if (ends === undefined) {
        const { stdout } = await client.runCommand(id, { command: "echo here" });
        assert.equal(stdout.text, "here\n");
        await client.removeSandbox(id);
      } else {
        await poll(
          "see the sandbox end",
          async () => {
            const { state, endReason } = await client.getSandbox(id);
            if (state === "ended") assert.equal(endReason, ends, text);
            return state === "ended" || undefined;
          },
          { timeoutMs: 20_000, intervalMs: 100 },
        );
      }
      await neighbours.unharmed();
      host.unharmed();
    });
  }

  test("and kills the kernel of a context ends that context alone", async () => {
    const { id } = await client.createSandbox(limits);
    const context = await client.openContext(id, { language: "python" });
    await client.writeFile(id, "guest.py", guestSource("kernels"));
    await client.runCommand(id, { command: "python3 guest.py", user: "root" });
    const { status } = await client.runCode(id, context.id, { code: "1" }).catch((error) => {
      assert.ok(error instanceof ApiError && error.problem.status < 500, String(error));
      return { status: "ended" };
    });
    assert.equal(status, "ended");
    const next = await client.openContext(id, { language: "python" });
    assert.equal((await client.runCode(id, next.id, { code: "1 + 1" })).status, "ok");
    await client.removeSandbox(id);
    await neighbours.unharmed();
    host.unharmed();
  });
});
