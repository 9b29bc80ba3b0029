import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";

const root = join(import.meta.dirname, "..");
const rooms = /^(?:api|runtime|store|test|bench|deploy|docs)\/[\w./-]*$/;
const pages = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "docs/ARCHITECTURE.md",
];

suite("the paths that the documents name", () => {
  for (const page of pages) {
    test(`of ${page} are there`, async () => {
      const text = await readFile(join(root, page), "utf8");
      const named = [...text.matchAll(/`([^`\s]+)`/g)].map(([, path = ""]) => path);
      const linked = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, path = ""]) =>
        join(dirname(page), path),
      );
      const paths = [...named.filter((path) => rooms.test(path)), ...linked];
      assert.deepEqual(
        paths.filter((path) => !existsSync(join(root, path))),
        [],
      );
    });
  }

  test("are seen at all", async () => {
    const text = await readFile(join(root, "docs/ARCHITECTURE.md"), "utf8");
    assert.ok([...text.matchAll(/`((?:api|runtime|store)\/[^`]*)`/g)].length > 20);
  });
});

test("the command that runs the image gives the rights that the compose file gives", async () => {
  const compose = await readFile(join(root, "deploy/compose.yaml"), "utf8");
  const readme = await readFile(join(root, "README.md"), "utf8");
  const listed = [...compose.matchAll(/^\s+- ([A-Z_]+)$/gm)].map(([, name]) => name);
  const given = [...readme.matchAll(/--cap-add ([A-Z_]+)/g)].map(([, name]) => name);
  assert.ok(listed.length > 10);
  assert.deepEqual(new Set(given), new Set(listed));
});
