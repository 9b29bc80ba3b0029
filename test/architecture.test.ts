import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { suite, test } from "node:test";
import { breaches, findCycle, importsOf, type Sources } from "./support/rooms.ts";

const root = join(import.meta.dirname, "..");
const product = ["runtime", "store", "api"];
const largestFile = 400;
const largestMedian = 120;

const sources = await readTree([...product, "bench", "test"]);
const productFiles = [...sources].filter(([file]) => product.some((room) => file.startsWith(room)));

suite("the tree", () => {
  test("has the three rooms in it, and the imports are seen", () => {
    for (const room of product) assert.ok(productFiles.some(([file]) => file.startsWith(room)));
    assert.ok(importsOf("runtime/runsc/runsc.ts", sources).includes("runtime/errors.ts"));
  });

  test("keeps the walls between the rooms", () => {
    assert.deepEqual(breaches(sources), []);
  });

  test("has no dependency cycle", () => {
    assert.equal(findCycle(sources)?.join(" -> "), undefined);
  });

  test(`has no file of more than ${largestFile} lines`, () => {
    const long = [...sources].filter(([, text]) => lines(text) > largestFile).map(([file]) => file);
    assert.deepEqual(long, []);
  });

  test(`has a median file of at most ${largestMedian} lines`, () => {
    const sizes = productFiles.map(([, text]) => lines(text)).sort((a, b) => a - b);
    const median = sizes[Math.floor(sizes.length / 2)] ?? 0;
    assert.ok(median > 0 && median <= largestMedian, `the median is ${median}`);
  });

  test("has no default export", () => {
    const found = [...sources].filter(([, text]) => /^export default\b/m.test(text));
    assert.deepEqual(
      found.map(([file]) => file),
      [],
    );
  });

  test("has no src/, no lib/ and no utils.ts", async () => {
    const top = await readdir(root);
    assert.deepEqual(
      top.filter((name) => ["src", "lib"].includes(name)),
      [],
    );
    const vague = [...sources.keys()].filter((file) => /(^|\/)(utils?|helpers?)\.ts$/.test(file));
    assert.deepEqual(vague, []);
  });
});

suite("the rules", () => {
  const wrong: { from: string; to: string; line?: string }[] = [
    { from: "runtime/a.ts", to: "store/b.ts" },
    { from: "runtime/pool/a.ts", to: "api/domain/b.ts" },
    { from: "store/a.ts", to: "runtime/b.ts" },
    { from: "api/domain/a.ts", to: "api/config.ts" },
    { from: "api/routes/a.ts", to: "runtime/b.ts" },
    { from: "api/console/a.ts", to: "store/b.ts" },
    { from: "api/console/a.ts", to: "api/routes/b.ts" },
    { from: "api/cli/commands/a.ts", to: "api/domain/b.ts" },
    { from: "api/client/a.ts", to: "api/cli/b.ts" },
    { from: "api/schema/a.ts", to: "runtime/b.ts" },
    { from: "api/server.ts", to: "test/support/b.ts" },
    { from: "runtime/a.ts", to: "store/b.ts", line: 'import type { b } from "../store/b.ts";' },
    { from: "runtime/a.ts", to: "store/b.ts", line: 'export { b } from "../store/b.ts";' },
    { from: "runtime/a.ts", to: "store/b.ts", line: 'import "../store/b.ts";' },
    { from: "runtime/a.ts", to: "store/b.ts", line: 'const b = await import("../store/b.ts");' },
    { from: "runtime/a.ts", to: "store/b.ts", line: 'import {\n  b,\n} from "../store/b.ts";' },
  ];
  for (const { from, to, line } of wrong) {
    test(`refuse ${line ?? `${from} importing ${to}`}`, () => {
      assert.equal(breaches(tree(from, to, line)).length, 1);
    });
  }

  const right: [string, string, string?][] = [
    ["runtime/a.ts", "runtime/pool/b.ts"],
    ["api/domain/a.ts", "runtime/b.ts"],
    ["api/domain/a.ts", "store/b.ts"],
    ["api/domain/a.ts", "api/schema/b.ts", 'import type { b } from "../schema/b.ts";'],
    ["api/domain/a.ts", "api/schema/b.ts"],
    ["api/routes/a.ts", "api/domain/b.ts"],
    ["api/routes/a.ts", "api/schema/b.ts"],
    ["api/cli/commands/a.ts", "api/client/b.ts"],
    ["api/cli/commands/serve.ts", "api/server.ts"],
    ["api/cli/quickstart.ts", "api/server.ts"],
    ["api/server.ts", "store/b.ts"],
    ["test/runtime/a.test.ts", "runtime/b.ts"],
  ];
  for (const [from, to, line] of right) {
    test(`allow ${from} importing ${to}`, () => {
      assert.deepEqual(breaches(tree(from, to, line)), []);
    });
  }

  test("see a cycle", () => {
    const cyclic: Sources = new Map([
      ["store/a.ts", 'import { b } from "./b.ts";'],
      ["store/b.ts", 'import { c } from "./c.ts";'],
      ["store/c.ts", 'import { a } from "./a.ts";'],
    ]);
    assert.equal(findCycle(cyclic)?.length, 4);
  });
});

function tree(from: string, to: string, line?: string): Sources {
  const path = relative(join(from, ".."), to);
  const specifier = path.startsWith(".") ? path : `./${path}`;
  return new Map([
    [from, line ?? `import { b } from "${specifier}";`],
    [to, "export const b = 1;"],
  ]);
}

async function readTree(folders: readonly string[]): Promise<Sources> {
  const found = new Map<string, string>();
  for (const folder of folders) {
    const names = await readdir(join(root, folder), { recursive: true });
    for (const name of names) {
      const file = `${folder}/${name}`;
      if (!name.endsWith(".ts") || file.startsWith("test/fixtures/functions/")) continue;
      found.set(file, await readFile(join(root, file), "utf8"));
    }
  }
  return found;
}

function lines(text: string): number {
  return text.split("\n").length - 1;
}
