import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Problem } from "../../api/schema/problem.ts";
import {
  type Expected,
  invalid,
  missing,
  type Refusal,
  stateOf,
  testRefusals,
  tooLarge,
  withSomething,
} from "../support/refusals.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const maxEventBytes = 100_000;
const anyId = "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: { maxEventBytes } });
  await withSomething(server);
});
after(async () => await server[Symbol.asyncDispose]());

const requests: Refusal[] = [
  {
    what: "an unknown function",
    method: "POST",
    path: "/v1/functions/nobody/invocations",
    body: {},
    expected: missing(/function nobody: it does not exist/),
  },
  {
    what: "an unknown version",
    method: "POST",
    path: "/v1/functions/good/invocations?qualifier=99",
    body: {},
    expected: missing(/version 99 of function good/),
  },
  {
    what: "an alias that there is not",
    method: "POST",
    path: "/v1/functions/good/invocations?qualifier=latest",
    body: {},
    expected: missing(/alias latest of function good: it does not exist/),
  },
  {
    what: "an alias of a function that there is not",
    method: "POST",
    path: "/v1/functions/nobody:live/invocations",
    body: {},
    expected: missing(/function nobody: it does not exist/),
  },
  {
    what: "a qualifier that can be none",
    method: "POST",
    path: "/v1/functions/good/invocations?qualifier=$latest",
    body: {},
    expected: invalid(/good:\$latest: name an alias, a version by its number, or \$LATEST/),
  },
  {
    what: "a version of number 0",
    method: "POST",
    path: "/v1/functions/good:0/invocations",
    body: {},
    expected: invalid(/good:0: name an alias/),
  },
  {
    what: "a qualifier in the path and another one in the query",
    method: "POST",
    path: "/v1/functions/good:1/invocations?qualifier=2",
    body: {},
    expected: invalid(/good:1: the query names the qualifier 2/),
  },
  {
    what: "an alias whose name is a number",
    method: "PUT",
    path: "/v1/functions/good/aliases/12",
    body: { version: 1 },
    expected: invalid(/alias: .*not only digits/),
  },
  {
    what: "an alias of a version that there is not",
    method: "PUT",
    path: "/v1/functions/good/aliases/live",
    body: { version: 9 },
    expected: missing(/version 9 of function good/),
  },
  {
    what: "an alias whose second version there is not",
    method: "POST",
    path: "/v1/functions/good/aliases",
    body: { name: "live", version: 1, second: { version: 9, weight: 0.5 } },
    expected: missing(/version 9 of function good/),
  },
  {
    what: "an alias whose two versions are one",
    method: "POST",
    path: "/v1/functions/good/aliases",
    body: { name: "live", version: 1, second: { version: 1, weight: 0.5 } },
    expected: invalid(/second version must be another one than 1/),
  },
  {
    what: "an alias whose weight is more than all",
    method: "POST",
    path: "/v1/functions/good/aliases",
    body: { name: "live", version: 1, second: { version: 2, weight: 1.1 } },
    expected: invalid(/second\.weight/),
  },
  {
    what: "an alias that is larger than any",
    method: "PUT",
    path: "/v1/functions/good/aliases/live",
    body: { version: 1, description: "x".repeat(70_000) },
    expected: tooLarge(/larger than 65536 bytes/),
  },
  {
    what: "the list of the aliases of an unknown function",
    path: "/v1/functions/nobody/aliases",
    expected: missing(/function nobody/),
  },
  {
    what: "the showing of an unknown alias",
    path: "/v1/functions/good/aliases/live",
    expected: missing(/alias live of function good/),
  },
  {
    what: "the deletion of an unknown alias",
    method: "DELETE",
    path: "/v1/functions/good/aliases/live",
    expected: missing(/alias live of function good/),
  },
  {
    what: "the list of the versions of an unknown function",
    path: "/v1/functions/nobody/versions",
    expected: missing(/function nobody/),
  },
  {
    what: "the deletion of an unknown version",
    method: "DELETE",
    path: "/v1/functions/good/versions/9",
    expected: missing(/version 9 of function good/),
  },
  {
    what: "the deletion of a version that is no number",
    method: "DELETE",
    path: "/v1/functions/good/versions/live",
    expected: invalid(/version/),
  },
  {
    what: "the deletion of the latest version",
    method: "DELETE",
    path: "/v1/functions/good/versions/1",
    expected: {
      status: 409,
      code: "failed_precondition",
      detail: /version 1 of function good: it is the latest/,
    },
  },
  {
    what: "an event that says it is JSON and is not",
    method: "POST",
    path: "/v1/functions/good/invocations",
    body: '{"name": "Ada"',
    expected: invalid(/the event: it is not JSON/),
  },
  {
    what: "an event over its bound",
    method: "POST",
    path: "/v1/functions/good/invocations",
    body: "x".repeat(maxEventBytes + 1),
    type: "text/plain",
    expected: tooLarge(/larger than 100000 bytes/),
  },
  {
    what: "an invocation of a function of no valid name",
    method: "POST",
    path: "/v1/functions/a%20b/invocations",
    body: {},
    expected: invalid(/name: expected 1 to 64 letters/),
  },
  { what: "an unknown path", path: "/v1/nothing", expected: missing(/GET \/v1\/nothing/) },
  {
    what: "a method that a path does not have",
    method: "PATCH",
    path: "/v1/functions/good",
    expected: missing(/PATCH/),
  },
  {
    what: "the showing of an unknown function",
    path: "/v1/functions/nobody",
    expected: missing(/does not exist/),
  },
  {
    what: "the deletion of an unknown function",
    method: "DELETE",
    path: "/v1/functions/nobody",
    expected: missing(/does not exist/),
  },
  {
    what: "an unknown invocation",
    path: `/v1/invocations/${anyId}`,
    expected: missing(/not on record/),
  },
  {
    what: "the cancelling of an unknown invocation",
    method: "DELETE",
    path: `/v1/invocations/${anyId}`,
    expected: missing(/not on record/),
  },
  {
    what: "an invocation's id that is none",
    path: "/v1/invocations/17",
    expected: invalid(/id: .*UUID/),
  },
  {
    what: "a cursor that is none",
    path: "/v1/invocations?before=yesterday",
    expected: invalid(/before: .*UUID/),
  },
  {
    what: "a page of no size",
    path: "/v1/invocations?limit=0",
    expected: invalid(/limit: .*>=1/),
  },
  {
    what: "a status that is none",
    path: "/v1/invocations?status=fine",
    expected: invalid(/status/),
  },
  { what: "an unknown image", path: "/v1/images/nothing", expected: missing(/image "nothing"/) },
  {
    what: "the removal of the default image's namesake that is not there",
    method: "DELETE",
    path: "/v1/images/nothing",
    expected: missing(/image "nothing"/),
  },
];

const executions: { what: string; body: unknown; expected: Expected }[] = [
  { what: "no code", body: { runtime: "node" }, expected: invalid(/expected the code to run/) },
  {
    what: "a command that is not asked for",
    body: { runtime: "bash", code: { source: "true" }, command: ["true"] },
    expected: invalid(/only with it/),
  },
  {
    what: "an entry that is not there",
    body: { runtime: "bash", code: { source: "true" }, entry: "other.sh" },
    expected: invalid(/no file "other\.sh"/),
  },
  {
    what: "files of which none is to be run",
    body: {
      runtime: "python",
      code: {
        files: [
          { path: "a.py", content: "" },
          { path: "b.py", content: "" },
        ],
      },
    },
    expected: invalid(/2 files and none is main or index/),
  },
  {
    what: "an image that is not there",
    body: { runtime: "bash", code: { source: "true" }, image: "nothing" },
    expected: missing(/image "nothing"/),
  },
  {
    what: "a path that leaves the code",
    body: {
      runtime: "bash",
      code: { files: [{ path: "../main.sh", content: "" }] },
      entry: "../main.sh",
    },
    expected: invalid(/main\.sh/),
  },
];

testRefusals(
  () => server,
  [
    ...requests,
    ...executions.map((execution) => ({
      ...execution,
      what: `an execution with ${execution.what}`,
      method: "POST",
      path: "/v1/execute",
    })),
  ],
);

test("an image of no valid name or of no archive is refused as the last line of its answer", async () => {
  const initial = await stateOf(server);
  for (const [path, said] of [
    ["/v1/images/host", /image "host"/],
    ["/v1/images/A%20B", /image "A B"/],
    ["/v1/images/fine", /Cannot read the archive/],
  ] as const) {
    const response = await server.fetch(path, { method: "PUT", body: "abc" });
    const lines = (await response.text()).trim().split("\n");
    const { problem } = JSON.parse(lines.at(-1) ?? "") as { problem: Problem };
    assert.equal(problem.code, "invalid_argument");
    assert.equal(problem.status, 400);
    assert.match(problem.detail, said);
  }
  assert.deepEqual(await stateOf(server), initial);
});
