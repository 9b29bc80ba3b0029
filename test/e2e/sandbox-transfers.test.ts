import assert from "node:assert/strict";
import { test } from "node:test";
import { poll } from "../../runtime/deadline.ts";
import { type ChildServer, startChildServer } from "../support/child-server.ts";

const fileBytes = 50 * 1024 * 1024;
const pieceBytes = 256 * 1024;

/** Has a server collect all of its heap at SIGUSR2, and say how often it had done that since the last time. */
const counter = `
  import { constants, PerformanceObserver } from "node:perf_hooks";
  let count = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries()) count += detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
  });
  observer.observe({ entryTypes: ["gc"] });
  process.on("SIGUSR2", () => {
    process.stderr.write("collected " + count + "\\n");
    gc();
    setImmediate(() => setImmediate(() => (count = 0)));
  });
`;

/** How often a server has collected all of its heap since this was last asked for; it does so now. */
async function collectionsOf(server: ChildServer): Promise<number> {
  const said = (): string[] => server.log().match(/^collected \d+$/gm) ?? [];
  const before = said().length;
  server.kill("SIGUSR2");
  const last = await poll("hear what was collected", () => said()[before], { timeoutMs: 20_000 });
  return Number(last.split(" ")[1]);
}

async function* pieces(): AsyncGenerator<Uint8Array> {
  const piece = Buffer.alloc(pieceBytes, "runlet");
  for (let left = fileBytes; left > 0; left -= pieceBytes) yield piece;
}

test("a server that has collected all of its heap does not do so again for each few megabytes that pass", async () => {
  const preload = `data:text/javascript,${encodeURIComponent(counter)}`;
  const env = { NODE_OPTIONS: `--expose-gc --import ${preload}` };
  await using server = await startChildServer({ env });
  const { client } = server;
  const { id } = await client.createSandbox();
  for (let left = 2; left > 0; left--) await client.writeFile(id, "large", pieces());
  await collectionsOf(server);
  for (let left = 4; left > 0; left--) {
    let readBytes = 0;
    for await (const piece of await client.readFile(id, "large")) readBytes += piece.byteLength;
    assert.equal(readBytes, fileBytes);
  }
  const count = await collectionsOf(server);
  assert.ok(count <= 8, `${count} collections`);
});
