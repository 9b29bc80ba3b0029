import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import test from "node:test";
import { Script } from "node:vm";
import { runnerArgs } from "../../../runtime/guest/program.ts";
import { executables } from "./native-guest.ts";

for (const runtime of ["node", "provided"] as const) {
  test(`the ${runtime} runner is one CommonJS script: no import, export or type is left`, () => {
    const source = runnerArgs(runtime).at(-1) ?? "";
    assert.doesNotMatch(source, /^\s*(?:import|export)\b/m);
    assert.doesNotMatch(source, /require\("\./);
    assert.doesNotThrow(() => new Script(source));
  });
}

test("the python runner is one script that compiles: no relative import is left", () => {
  const source = runnerArgs("python").at(-1) ?? "";
  assert.doesNotMatch(source, /^\s*from \./m);
  const check = "import sys; compile(sys.stdin.read(), 'runner', 'exec')";
  execFileSync(executables.python, ["-W", "error", "-c", check], { input: source });
});

test("the runners travel in the arguments, which Linux bounds at 128 KiB each", () => {
  for (const runtime of ["node", "python", "provided"] as const) {
    const source = runnerArgs(runtime).at(-1) ?? "";
    assert.ok(Buffer.byteLength(source) < 64 * 1024, `${runtime}: ${source.length}`);
    assert.ok(!source.includes("\0"));
  }
});

test("the executable and further flags stand where they belong", () => {
  assert.deepEqual(runnerArgs("node", "/opt/node", ["--max-old-space-size=64"]).slice(0, -1), [
    "/opt/node",
    "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON",
    "--disable-warning=ExperimentalWarning",
    "--max-old-space-size=64",
    "-e",
  ]);
  assert.deepEqual(runnerArgs("python").slice(0, -1), ["python3", "-I", "-B", "-c"]);
});

test("making the node runner's source prints no warning", () => {
  const program = new URL("../../../runtime/guest/program.ts", import.meta.url).href;
  const script = `const { runnerArgs } = await import(${JSON.stringify(program)}); runnerArgs("node");
    process.emitWarning("still heard");`;
  const child = `${process.execPath} --input-type=module -e '${script}' 2>&1`;
  const printed = execFileSync("sh", ["-c", child], { encoding: "utf8" });
  assert.match(printed, /still heard/);
  assert.doesNotMatch(printed, /stripTypeScriptTypes/);
});
