import assert from "node:assert/strict";
import { test } from "node:test";
import { dependenciesOf } from "../../../../api/domain/build/dependencies.ts";

const remote = { dependencies: { a: "^1.0.0" } };
const lock = "package-lock.json";

const cases: {
  what: string;
  runtime?: "node" | "python" | "command" | "provided";
  files: Record<string, string>;
  /** The files that it is installed from; absent where nothing is installed. */
  from?: string[];
  is?: { isRemote?: boolean; isLocked?: boolean; packages?: string };
}[] = [
  { what: "no manifest", files: { "index.mjs": "" } },
  { what: "a manifest without dependencies", files: { "package.json": "{}" } },
  { what: "a manifest that is none", files: { "package.json": "{" } },
  { what: "a manifest that is a number", files: { "package.json": "1" } },
  { what: "a manifest that is null", files: { "package.json": "null" } },
  {
    what: "dependencies of a command function",
    runtime: "command",
    files: { "package.json": JSON.stringify(remote) },
  },
  {
    what: "dependencies of a function of the other language",
    runtime: "python",
    files: { "package.json": JSON.stringify(remote) },
  },
  {
    what: "a package of a registry",
    files: { "package.json": JSON.stringify(remote), "index.mjs": "", ".npmrc": "" },
    from: [".npmrc", "package.json"],
    is: { isRemote: true, isLocked: false },
  },
  {
    what: "an optional package",
    files: { "package.json": '{"optionalDependencies": {"a": "1"}}' },
    from: ["package.json"],
    is: { isRemote: true },
  },
  {
    what: "locked packages",
    files: { "package.json": JSON.stringify(remote), [lock]: "{}", "index.mjs": "" },
    from: [lock, "package.json"],
    is: { isRemote: true, isLocked: true },
  },
  {
    what: "a package of the code",
    files: { "package.json": '{"dependencies": {"a": "file:./a"}}', "a/package.json": "{}" },
    from: ["a/package.json", "package.json"],
    is: { isRemote: false },
  },
  {
    what: "a package of the code beside one of a registry",
    files: { "package.json": '{"dependencies": {"a": "./a", "b": "1"}}', "a/package.json": "{}" },
    from: ["a/package.json", "package.json"],
    is: { isRemote: true },
  },
  {
    what: "packages that came along",
    files: { "package.json": JSON.stringify(remote), "node_modules/a/index.js": "" },
  },
  {
    what: "a requirement",
    runtime: "python",
    files: { "requirements.txt": "a==1 # yes\n", "main.py": "" },
    from: ["requirements.txt"],
    is: { isRemote: true },
  },
  {
    what: "requirements of another file",
    runtime: "python",
    files: { "requirements.txt": "-r base.txt", "base.txt": "a" },
    from: ["base.txt", "requirements.txt"],
    is: { isRemote: true },
  },
  {
    what: "a package of the code",
    runtime: "python",
    files: { "requirements.txt": "./a", "a/pyproject.toml": "" },
    from: ["a/pyproject.toml", "requirements.txt"],
    is: { isRemote: false },
  },
  {
    what: "wheels",
    runtime: "python",
    files: { "requirements.txt": "a", "wheels/a-1-py3-none-any.whl": "", "main.py": "" },
    from: ["requirements.txt", "wheels/a-1-py3-none-any.whl"],
    is: { isRemote: false, packages: "wheels" },
  },
  {
    what: "a directory of no wheels",
    runtime: "python",
    files: { "requirements.txt": "a", "wheels/README": "" },
    from: ["requirements.txt"],
    is: { isRemote: true },
  },
  { what: "remarks", runtime: "python", files: { "requirements.txt": "# a\n\n  # b" } },
  {
    what: "packages in their directory",
    runtime: "python",
    files: { "requirements.txt": "a", "python_packages/a.py": "" },
  },
  {
    what: "packages beside the code",
    runtime: "python",
    files: { "requirements.txt": "a", "a-1.dist-info/METADATA": "" },
  },
];

for (const { what, runtime = "node", files, from, is = {} } of cases) {
  const then = from === undefined ? "nothing is installed" : `it is installed from ${from.join()}`;
  test(`${what} (${runtime}): ${then}`, () => {
    const list = Object.entries(files).map(([path, text]) => {
      return { path, mode: 0o644, bytes: Buffer.from(text) };
    });
    const found = dependenciesOf(list, runtime);
    assert.deepEqual(found?.files.map(({ path }) => path).toSorted(), from);
    assert.partialDeepStrictEqual(found ?? {}, is);
  });
}
