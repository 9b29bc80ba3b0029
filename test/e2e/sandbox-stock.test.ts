import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import type { SandboxView } from "../../api/schema/sandbox.ts";
import { poll } from "../../runtime/deadline.ts";
import { startTestServer } from "../support/server.ts";

const server = await startTestServer({ overrides: { sandboxStock: 2, poolMax: 2 } });
after(async () => await server[Symbol.asyncDispose]());
const { client } = server;
const memoryBytes = 128 * 1024 * 1024;

suite("sandboxes from a stock", () => {
  test("are there once one was opened, and each has the settings of who takes it", async () => {
    const settings = { memoryBytes, env: { GREETING: "hello" }, user: "root", cwd: "/work/here" };
    const fromStock = async (): Promise<SandboxView | undefined> => {
      const box = await client.createSandbox(settings);
      if (box.start === "pooled") return box;
      assert.equal(box.start, "cold");
      await client.removeSandbox(box.id);
      return undefined;
    };
    const { id, ...given } = await poll("see one from stock", fromStock, { timeoutMs: 30_000 });
    assert.deepEqual(
      [given.memoryBytes, given.env, given.user, given.cwd],
      [memoryBytes, settings.env, "root", "/work/here"],
    );
    const { stdout } = await client.runCommand(id, { command: "id -un; pwd; echo $GREETING; ls" });
    assert.equal(stdout.text, "root\n/work/here\nhello\n");
    await client.removeSandbox(id);
  });

  test("are opened many at once, also beyond the stock, and listed in pages", async () => {
    const metadata = { of: "many" };
    const opened = await Promise.all(
      Array.from({ length: 10 }, async () => await client.createSandbox({ memoryBytes, metadata })),
    );
    const said = await Promise.all(
      opened.map(async ({ id }) => await client.runCommand(id, { command: "echo $$ > own; ls" })),
    );
    for (const { stdout } of said) assert.equal(stdout.text, "own\n");
    const listed: string[] = [];
    let before: string | undefined;
    do {
      const query = { metadata: "of=many", limit: 4, ...(before !== undefined && { before }) };
      const page = await client.sandboxes.list(query);
      listed.push(...page.items.map(({ id }) => id));
      before = page.next;
    } while (before !== undefined);
    assert.deepEqual(
      listed,
      opened
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
    );
    await Promise.all(opened.map(async ({ id }) => await client.removeSandbox(id)));
  });
});
