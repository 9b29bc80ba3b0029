import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { pythonBootstrap } from "../support/bootstrap.ts";
import { call } from "../support/call.ts";
import { problemIn } from "../support/problem.ts";
import { cgroupsOf, leftoversOf } from "../support/sandboxes.ts";
import { startTestServer } from "../support/server.ts";
import { poll } from "../../runtime/deadline.ts";
import { moveIn, watchHost } from "./bystanders.ts";
import { type Handler, handlers, programs } from "./corpus.ts";
import { assertSeen, guestSource, placesOf } from "./guest.ts";

const mebibyte = 1024 * 1024;
const outputBytes = 16_384;
const limits = { memoryBytes: 64 * mebibyte, pids: 48, tmpBytes: 4 * mebibyte, outputBytes };

await using stack = new AsyncDisposableStack();
const server = stack.use(await startTestServer({ overrides: { maxConcurrency: 8, poolMax: 2 } }));
const host = stack.use(await watchHost());
const neighbours = stack.use(await moveIn(server));
const owned = stack.move();
after(async () => await owned.disposeAsync());

const places = placesOf(server, host);

suite("a hostile program", { concurrency: 3 }, () => {
  for (const { name, tries, limits: own, ends, sees, stdout } of programs) {
    test(`that tries ${tries} harms nobody`, async () => {
      const result = await server.client.execute({
        runtime: "python",
        code: { source: guestSource(name) },
        args: [places],
        timeoutMs: 20_000,
        ...limits,
        ...own,
      });
      assert.ok(ends.includes(result.exitReason), JSON.stringify(result).slice(0, 2000));
      if (stdout !== undefined) assert.match(result.stdout, stdout);
      for (const text of [result.stdout, result.stderr]) assert.ok(text.length <= outputBytes);
      if (sees !== undefined) assertSeen(JSON.parse(result.stdout) as object, sees);
      await assertGone(result.invocationId);
      await neighbours.unharmed();
      host.unharmed();
    });
  }
});

suite("a hostile function", { concurrency: 3 }, () => {
  for (const [index, { tries, runtime, body, ends }] of handlers.entries()) {
    test(`in ${runtime} that tries ${tries} harms nobody, nor its next invocation`, async () => {
      const name = `hostile-${index}`;
      const spec = { ...specOf(runtime, body), timeoutMs: 5_000, memoryBytes: 128 * mebibyte };
      await server.client.deploy(name, spec, { check: false });
      const problem = await problemIn(await call(server, name));
      assert.match(problem.code, ends, problem.detail);
      assert.ok(problem.invocationId);
      await assertGone(problem.invocationId);
      const next = await call(server, name, { body: '{"isGood": true}' });
      assert.deepEqual([next.status, await next.text()], [200, "good"]);
      await neighbours.unharmed();
      host.unharmed();
    });
  }
});

/** A function that answers `good` where it is asked to, and else turns on what runs it. */
function specOf(runtime: Handler["runtime"], body: string): FunctionSpecInput {
  if (runtime === "command") {
    const script = `case "$(cat)" in *isGood*) printf good; exit;; esac; ${body}`;
    return { runtime, command: ["sh", "-c", script] };
  }
  if (runtime === "provided") {
    const handle = `if b"isGood" in event: return respond(id, b"good")\n${body}`;
    const content = pythonBootstrap(handle);
    return { runtime, code: { files: [{ path: "bootstrap", content, executable: true }] } };
  }
  const source =
    runtime === "node"
      ? `import fs from "node:fs";
        export const handler = ({ isGood }) => { if (isGood) return "good"; ${body}; return "evil"; };`
      : `def handler(event, context):\n    if event.get("isGood"): return "good"\n    ${body}\n    return "evil"`;
  return { runtime, code: { source } };
}

/** Nothing of an invocation's container is left. */
async function assertGone(invocationId: string): Promise<void> {
  const { containerId } = await server.client.invocation(invocationId);
  assert.ok(containerId);
  const left = (): string[] => [
    ...leftoversOf(server.config.stateDir).filter((each) => each.includes(containerId)),
    ...cgroupsOf(containerId),
  ];
  const isGone = (): true | undefined => (left().length === 0 ? true : undefined);
  await poll(`see ${containerId} gone`, isGone, { timeoutMs: 10_000 });
}
