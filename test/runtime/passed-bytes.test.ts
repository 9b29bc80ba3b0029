import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { execa } from "execa";

const module = join(import.meta.dirname, "../../runtime/passed-bytes.ts");

/** How often all of the heap of a process is collected while 600 MB pass through it. */
async function collectionsOf(note: string): Promise<number> {
  const program = `
    import { constants, PerformanceObserver } from "node:perf_hooks";
    import { setImmediate as turn } from "node:timers/promises";
    import { notePassed } from ${JSON.stringify(module)};
    let count = 0;
    const observer = new PerformanceObserver((list) => {
      for (const { detail } of list.getEntries()) count += detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
    });
    observer.observe({ entryTypes: ["gc"] });
    globalThis.held = Array.from({ length: 300_000 }, (_, at) => ({ at }));
    for (let at = 0; at < 9_000; at++) {
      globalThis.piece = Buffer.allocUnsafeSlow(65_536);
      ${note}
      await turn();
    }
    console.log(count, typeof gc);
  `;
  const { stdout } = await execa(process.execPath, ["--input-type=module", "-e", program]);
  const [count, typeOfGc] = stdout.split(" ");
  assert.equal(typeOfGc, "undefined", "nobody else is given the means to collect");
  return Number(count);
}

test("a process in which passing bytes are noted collects its whole heap far less often", async () => {
  const noted = await collectionsOf("notePassed(65_536);");
  const unnoted = await collectionsOf("");
  assert.ok(unnoted >= 6 && noted * 3 <= unnoted, `${noted} and ${unnoted}`);
});
