import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { HTTPException } from "hono/http-exception";
import { InvocationError, RunletError } from "../../../api/domain/errors.ts";
import { problemOf, problems } from "../../../api/routes/problem.ts";
import { problem as problemSchema } from "../../../api/schema/problem.ts";

test("each code has a status that is an error's and a title", () => {
  for (const [code, { status, title }] of Object.entries(problems)) {
    assert.ok(status >= 400 && status < 600, code);
    assert.match(title, /^[A-Z]/, code);
  }
});

test("the README has each code with its status, and no other", async () => {
  const readme = await readFile(join(import.meta.dirname, "../../../README.md"), "utf8");
  const rows = [...readme.matchAll(/^\| (\d{3}) +\| ([^|]+) \|/gm)];
  const told = rows.flatMap(([, status, codes = ""]) =>
    [...codes.matchAll(/`(\w+)`/g)].map(([, code]) => `${code} ${status}`),
  );
  const known = Object.entries(problems).map(([code, { status }]) => `${code} ${status}`);
  assert.deepEqual(told.toSorted(), known.toSorted());
});

test("an error of Runlet is told by its code and in its own words", () => {
  assert.deepEqual(problemOf(new RunletError("not_found", "Cannot find it: gone")), {
    type: "about:blank",
    title: "No such thing",
    status: 404,
    code: "not_found",
    detail: "Cannot find it: gone",
  });
});

test("a failed invocation is told with its record, what it threw and how it ended", () => {
  const cause = new RunletError("function_error", "Function failed");
  const thrown = { name: "E", message: "m", stack: "s" };
  const exit = { code: 143, signal: "SIGTERM", reason: "signaled", atMs: 1 } as const;
  const told = problemOf(
    new InvocationError(cause, { invocationId: "i", traceId: "t", thrown, exit }),
  );
  assert.equal(told.invocationId, "i");
  assert.deepEqual(told.functionError, thrown);
  assert.deepEqual(told.exit, { code: 143, signal: "SIGTERM", reason: "signaled" });
  assert.deepEqual(problemSchema.parse(told), told);
});

test("an error that is a bug says nothing of its inside", () => {
  const told = problemOf(new TypeError("secret path /root"));
  assert.deepEqual([told.status, told.code], [500, "internal"]);
  assert.doesNotMatch(JSON.stringify(told), /secret|TypeError/);
});

test("what the HTTP library refuses by itself is the caller's mistake", () => {
  const told = problemOf(new HTTPException(415, { message: "Unsupported Media Type" }));
  assert.deepEqual([told.status, told.code], [400, "invalid_argument"]);
  assert.match(told.detail, /content type is not application\/json/);
});
