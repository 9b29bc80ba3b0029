import assert from "node:assert/strict";
import test from "node:test";
import { errorOf, loadedGuest, NativeGuest, type Source } from "./native-guest.ts";

interface Found {
  what: string;
  runtime: "node" | "python";
  source: Source;
  handler?: string;
}

const esm = "export const handler = () => 'found';";
const cjs = "exports.handler = () => 'found';";
const ts = "type A = string; export const handler = (): A => 'found';";
const py = "def handler(event, context):\n    return 'found'\n";
const other = { "other.txt": "no code", "more.txt": "no code" };

const found: Found[] = [
  { what: "index.mjs", runtime: "node", source: { ...other, "index.mjs": esm } },
  { what: "main.js as ESM", runtime: "node", source: { ...other, "main.js": esm } },
  { what: "handler.js as CommonJS", runtime: "node", source: { ...other, "handler.js": cjs } },
  { what: "app.cjs", runtime: "node", source: { ...other, "app.cjs": cjs } },
  { what: "main.ts", runtime: "node", source: { ...other, "main.ts": ts } },
  { what: "app.mts", runtime: "node", source: { ...other, "app.mts": ts } },
  {
    what: "index.cts",
    runtime: "node",
    source: { ...other, "index.cts": "exports.handler = (): string => 'found';" },
  },
  {
    what: "index before main",
    runtime: "node",
    source: { "main.mjs": "throw 1", "index.ts": ts },
  },
  {
    what: "package.json main",
    runtime: "node",
    source: { "package.json": '{"main":"./code/start","type":"module"}', "code/start.js": esm },
  },
  {
    what: "package.json main that is a directory",
    runtime: "node",
    source: { "package.json": '{"main":"code"}', "code/index.js": cjs },
  },
  { what: "the only file, whatever its name", runtime: "node", source: { "x-y.mjs": esm } },
  {
    what: "an async function",
    runtime: "node",
    source: { "a.mjs": esm.replace("()", "async ()") },
  },
  {
    what: "a default function",
    runtime: "node",
    source: { "a.mjs": "export default () => 'found'" },
  },
  {
    what: "module.exports",
    runtime: "node",
    source: { "a.cjs": "module.exports = () => 'found'" },
  },
  {
    what: "a default object with handler",
    runtime: "node",
    source: { "a.mjs": "export default { handler: () => 'found' }" },
  },
  {
    what: "a transpiled default",
    runtime: "node",
    source: { "a.cjs": "exports.__esModule = true; exports.default = () => 'found'" },
  },
  {
    what: "a default fetch that uses this",
    runtime: "node",
    source: {
      "a.mjs": "export default { word: 'found', fetch() { return new Response(this.word) } }",
    },
  },
  {
    what: "a module with top-level await",
    runtime: "node",
    source: { "a.mjs": `const word = await Promise.resolve("found"); export default () => word;` },
  },
  {
    what: "file.export",
    runtime: "node",
    source: { "src/app.mjs": "export const main = () => 'found'", "index.mjs": "throw 1" },
    handler: "src/app.main",
  },
  {
    what: "file.default",
    runtime: "node",
    source: { "a.b.ts": "export default () => 'found'", "index.mjs": "throw 1" },
    handler: "a.b.default",
  },
  {
    what: "a computed CommonJS export",
    runtime: "node",
    source: { "a.cjs": "exports['ma' + 'in'] = () => 'found'" },
    handler: "a.main",
  },
  {
    what: "a module that imports others, also through a link",
    runtime: "node",
    source: {
      "index.mjs": "export { handler } from './lib/a.mjs';",
      "real/a.mjs": esm,
      lib: { link: "real" },
    },
  },
  { what: "main.handler", runtime: "python", source: { ...other, "main.py": py, "util.py": "" } },
  {
    what: "lambda_function.lambda_handler",
    runtime: "python",
    source: { "lambda_function.py": py.replace("handler", "lambda_handler"), "util.py": "" },
  },
  { what: "the only .py file", runtime: "python", source: { ...other, "x-y.py": py } },
  {
    what: "an async function",
    runtime: "python",
    source: { "app.py": `async ${py}` },
  },
  {
    what: "dir/module.function",
    runtime: "python",
    source: {
      "src/app.py": "from . import word\ndef main(e, c):\n    return word.word\n",
      "src/word.py": "word = 'found'",
    },
    handler: "src/app.main",
  },
  {
    what: "package.module.function",
    runtime: "python",
    source: { "src/__init__.py": "", "src/app.py": py },
    handler: "src.app.handler",
  },
  {
    what: "a package",
    runtime: "python",
    source: { "src/__init__.py": py, "index.py": "1 / 0" },
    handler: "src.handler",
  },
  {
    what: "a callable object",
    runtime: "python",
    source: { "a.py": "class A:\n  def __call__(self, e, c): return 'found'\nhandler = A()" },
  },
];
for (const { what, runtime, source, handler } of found) {
  test(`${runtime}: the handler is found: ${what}`, async () => {
    await using guest = await loadedGuest(
      runtime,
      source,
      handler === undefined ? {} : { handler },
    );
    assert.equal((await guest.invoke()).body.toString(), "found");
  });
}

interface Refused extends Found {
  name: string;
  says: RegExp;
}

const failing: Refused[] = [
  {
    what: "no file of a known name",
    runtime: "node",
    source: other,
    name: "HandlerNotFound",
    says: /none of these files .*index\.mjs, .*app\.cts/,
  },
  {
    what: "no such file",
    runtime: "node",
    source: { "index.mjs": esm },
    handler: "src/a.main",
    name: "HandlerNotFound",
    says: /src\/a\.mjs/,
  },
  {
    what: "no such export",
    runtime: "node",
    source: { "index.mjs": esm },
    handler: "index.main",
    name: "HandlerNotFound",
    says: /exports handler; looked for an exported function `main`/,
  },
  {
    what: "no export at all",
    runtime: "node",
    source: { "index.mjs": "" },
    name: "HandlerNotFound",
    says: /exports nothing; looked for an exported function `handler`, a default function or/,
  },
  ...["index", ".main", "index.", "../a.main", "/etc/a.main"].map((handler): Refused => ({
    what: `handler ${handler}`,
    runtime: "node",
    source: { "index.mjs": esm },
    handler,
    name: "HandlerNotFound",
    says: /not of the form file\.export/,
  })),
  {
    what: "a module that throws",
    runtime: "node",
    source: { "index.mjs": "throw new RangeError('at import')" },
    name: "RangeError",
    says: /^at import$/,
  },
  {
    what: "a missing dependency",
    runtime: "node",
    source: { "index.mjs": "import 'left-pad';" },
    name: "Error",
    says: /Cannot find package 'left-pad'/,
  },
  {
    what: "no file of a known name",
    runtime: "python",
    source: other,
    name: "HandlerNotFound",
    says: /none of these files .*main\.py, .*lambda_function\.py/,
  },
  {
    what: "a module of the standard library",
    runtime: "python",
    source: { "main.py": py },
    handler: "json.loads",
    name: "HandlerNotFound",
    says: /neither json\.py nor json\/__init__\.py/,
  },
  {
    what: "no such function",
    runtime: "python",
    source: { "main.py": "def other(): pass\nhandler = 5\n" },
    name: "HandlerNotFound",
    says: /defines other, handler; looked for the function handler or lambda_handler/,
  },
  ...["main", ".handler", "main.", "../main.handler", "/main.handler"].map((handler): Refused => ({
    what: `handler ${handler}`,
    runtime: "python",
    source: { "main.py": py },
    handler,
    name: "HandlerNotFound",
    says: /not of the form dir\/module\.function/,
  })),
  {
    what: "a missing dependency",
    runtime: "python",
    source: { "main.py": "import left_pad" },
    name: "ModuleNotFoundError",
    says: /No module named 'left_pad'/,
  },
];
for (const { what, runtime, source, handler, name, says } of failing) {
  test(`${runtime}: loading fails with what was looked for: ${what}`, async () => {
    await using guest = await NativeGuest.start(runtime);
    const error = errorOf(await guest.load(source, handler === undefined ? {} : { handler }));
    assert.equal(error.name, name, error.message);
    assert.match(error.message, says);
    assert.doesNotMatch(error.stack, /runlet:runner|<string>/);
  });
}

const syntaxErrors: [string, string, "node" | "python"][] = [
  ["index.mjs", "export const a = 1;\nexport const handler = () => +;\n", "node"],
  ["index.js", "export const a = 1;\nexport const handler = () => +;\n", "node"],
  ["index.cjs", "const a = 1;\nexports.handler = () => +;\n", "node"],
  ["index.ts", "const a: number = 1;\nexport const handler = () => +;\n", "node"],
  ["main.py", "a = 1\ndef handler(event, context:\n", "python"],
];
for (const [path, text, runtime] of syntaxErrors) {
  for (const [entry, source] of [
    [path, { [path]: text }],
    [
      `import of ${path}`,
      runtime === "node"
        ? { "handler.mjs": `import './${path}';`, [path]: text }
        : { "app.py": "import main", "main.py": text },
    ],
  ] as const) {
    test(`${runtime}: a syntax error says file and line: ${entry}`, async () => {
      await using guest = await NativeGuest.start(runtime);
      const handler = runtime === "node" ? "handler.handler" : "app.handler";
      const options = entry === path ? {} : { handler };
      const error = errorOf(await guest.load(source, options));
      assert.equal(error.name, "SyntaxError");
      const place = runtime === "node" ? `${path}:2` : `${path}", line 2`;
      assert.ok(error.stack.includes(place), error.stack);
      guest.channel.close();
      assert.equal((await guest.end()).stderr, "");
    });
  }
}
