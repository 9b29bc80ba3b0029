import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import { gzipSync } from "node:zlib";
import { problemIn } from "../support/problem.ts";
import { startTestServer } from "../support/server.ts";
import { tarOf } from "../support/tar.ts";
import { zipOf } from "../support/zip.ts";
import { moveIn } from "./bystanders.ts";

const mebibyte = 1024 * 1024;
/** Far less than what the worst of them unfolds to, with room for what the test itself leaves to be collected. */
const mostBytes = 1024 * mebibyte;

const zeros = "\0".repeat(mebibyte);
/** A tar of one file of 4 GiB, all zeros: a gzip may be many in a row. */
const endless = [
  gzipSync(withSize(tarOf({ path: "zeros" }).subarray(0, 512), 4096 * mebibyte)),
  ...Array<Buffer>(4096).fill(gzipSync(Buffer.alloc(mebibyte))),
];

const bombs: readonly { what: string; archive: Buffer; expected: RegExp }[] = [
  {
    what: "a zip that unfolds to a thousand times its size",
    archive: zipOf(...Array.from({ length: 32 }, (_, at) => ({ path: `${at}`, text: zeros }))),
    expected: /^payload_too_large$/,
  },
  {
    what: "a zip that says that it unfolds to less than it does",
    archive: zipOf({ path: "index.mjs", text: zeros, claimedBytes: 10 }),
    expected: /^(?:payload_too_large|invalid_argument)$/,
  },
  {
    what: "a zip of very many files",
    archive: zipOf(
      ...Array.from({ length: 21_000 }, (_, at) => ({ path: `d/${at}`, isStored: true })),
    ),
    expected: /^payload_too_large$/,
  },
  {
    what: "a zip that nests without end",
    archive: zipOf({ path: `${"a/".repeat(30_000)}f`, text: "x" }),
    expected: /^invalid_argument$/,
  },
  {
    what: "a zip of the same name over and over",
    archive: zipOf(...Array.from({ length: 100 }, () => ({ path: "index.mjs", text: "1" }))),
    expected: /^invalid_argument$/,
  },
  {
    what: "a gzip that never ends",
    archive: Buffer.concat(endless),
    expected: /^payload_too_large$/,
  },
  {
    what: "a tar that says that 8 GiB follow",
    archive: withSize(tarOf({ path: "index.mjs", text: "1" }), 8192 * mebibyte - 1),
    expected: /^(?:payload_too_large|invalid_argument)$/,
  },
  {
    what: "a tar with a sparse file",
    archive: withSize(tarOf({ path: "sparse", type: "S" as "0" }), 0),
    expected: /^invalid_argument$/,
  },
  {
    what: "a tar of very many links to each other",
    archive: tarOf(
      ...Array.from({ length: 21_000 }, (_, at) => ({
        path: `l${at}`,
        type: "2" as const,
        link: `l${at + 1}`,
      })),
    ),
    expected: /^payload_too_large$/,
  },
  {
    what: "a tar in a zip in a gzip",
    archive: gzipSync(zipOf({ path: "a.tar", text: tarOf({ path: "b" }).toString() })),
    expected: /^invalid_argument$/,
  },
];

await using stack = new AsyncDisposableStack();
const server = stack.use(
  await startTestServer({ overrides: { poolMax: 2, maxCodeBytes: 16 * mebibyte } }),
);
const neighbours = stack.use(await moveIn(server));
const owned = stack.move();
after(async () => await owned.disposeAsync());

suite("an archive that means harm", () => {
  for (const { what, archive, expected } of bombs) {
    test(`such as ${what} is refused in bounded memory, and harms nobody`, async () => {
      const body = JSON.stringify({
        runtime: "node",
        code: { archive: archive.toString("base64") },
      });
      const before = process.memoryUsage.rss();
      let most = before;
      const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 5);
      const headers = { "content-type": "application/json" };
      const answer = await server
        .fetch("/v1/functions/bomb", { method: "PUT", headers, body })
        .finally(() => clearInterval(watch));
      const { code, detail } = await problemIn(answer);
      assert.match(code, expected, detail);
      assert.ok(most - before < mostBytes, `took ${(most - before) / mebibyte} MiB`);
      await neighbours.unharmed();
    });
  }
});

/** The header of the first entry says another size, and its sum is right. */
function withSize(tar: Buffer, size: number): Buffer {
  tar.write(`${size.toString(8).padStart(11, "0")} `, 124);
  tar.write(" ".repeat(8), 148);
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return tar;
}
