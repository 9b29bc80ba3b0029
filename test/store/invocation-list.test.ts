import assert from "node:assert/strict";
import { test } from "node:test";
import { v7 } from "uuid";
import { type InvocationFilter, pageQuery } from "../../store/invocation-query.ts";
import { OpenedInvocations } from "./opened-invocations.ts";

test("invocations are listed newest first, without their output", () => {
  using it = new OpenedInvocations();
  const output = { stdout: Buffer.alloc(100_000), stderr: Buffer.alloc(100_000) };
  const ids = [it.insert(output), it.insert(output), it.insert(output)];
  const rows = it.invocations.page({ limit: 10 }).rows;
  assert.deepEqual(
    rows.map((row) => row.id),
    ids.toReversed(),
  );
  for (const row of rows) {
    assert.equal("stdout" in row || "stderr" in row, false);
    assert.equal(row.stdoutTruncated, false);
  }
});

test("pages follow each other without a gap or a repetition while new invocations come in", () => {
  using it = new OpenedInvocations();
  const ids = Array.from({ length: 25 }, () => it.insert());
  const seen: string[] = [];
  for (;;) {
    const before = seen.at(-1);
    const page = it.invocations.page(
      before === undefined ? { limit: 4 } : { limit: 4, before },
    ).rows;
    if (page.length === 0) break;
    seen.push(...page.map((row) => row.id));
    it.insert();
    it.insert();
  }
  assert.deepEqual(seen, ids.toReversed());
});

test("a page goes on behind a cursor that is no longer on record", () => {
  using it = new OpenedInvocations();
  const older = [it.insert(), it.insert()];
  const cursor = v7();
  it.insert();
  const page = it.invocations.page({ limit: 9, before: cursor }).rows;
  assert.deepEqual(
    page.map((row) => row.id),
    older.toReversed(),
  );
});

const functionNames = ["f", "g", null] as const;
const kinds = ["invoke", "execute"] as const;
const statuses = ["queued", "succeeded", "failed"] as const;
const exitReasons = ["exited", "oom", null] as const;

test("each combination of filters finds exactly what a look at every invocation finds", () => {
  using it = new OpenedInvocations();
  for (let round = 0; round < 2; round += 1) {
    for (const functionName of functionNames) {
      for (const kind of kinds) {
        for (const status of statuses) {
          for (const exitReason of exitReasons) {
            it.insert({ functionName, kind, status, exitReason });
          }
        }
      }
    }
  }
  const all = it.invocations.page({ limit: 1000 }).rows;
  assert.equal(all.length, 108);
  for (const filter of everyFilter()) {
    const expected = all.filter((row) =>
      Object.entries(filter).every(([field, value]) => row[field as keyof typeof row] === value),
    );
    assert.notEqual(expected.length, 0);
    const found = it.invocations.page({ ...filter, limit: 1000 }).rows;
    assert.deepEqual(found, expected, JSON.stringify(filter));
    const before = expected[0]!.id;
    const rest = it.invocations.page({ ...filter, before, limit: 3 }).rows;
    assert.deepEqual(rest, expected.slice(1, 4), JSON.stringify(filter));
  }
});

test("a range of ids and a duration narrow a page like any other filter", () => {
  using it = new OpenedInvocations();
  const ids = [10, 20, 30, 40].map((runUs) => it.insert({ runUs, functionName: "f" }));
  const found = (filter: Omit<InvocationFilter, "limit">): string[] =>
    it.invocations.page({ ...filter, limit: 9 }).rows.map((row) => row.id);
  assert.deepEqual(found({ since: ids[2]! }), [ids[3], ids[2]]);
  assert.deepEqual(found({ since: ids[1]!, before: ids[3]! }), [ids[2], ids[1]]);
  assert.deepEqual(found({ minRunUs: 30, functionName: "f" }), [ids[3], ids[2]]);
  assert.deepEqual(found({ minRunUs: 30, before: ids[3]! }), [ids[2]]);
});

test("a qualifier narrows a page to the calls that named it", () => {
  using it = new OpenedInvocations();
  const ids = ["live", null, "2", "live"].map((qualifier) =>
    it.insert({ qualifier, functionName: "f" }),
  );
  const found = it.invocations.page({ functionName: "f", qualifier: "live", limit: 9 }).rows;
  assert.deepEqual(
    found.map((row) => row.id),
    [ids[3], ids[0]],
  );
});

test("a trace has the invocations that named it and the one whose id it is, newest first", () => {
  using it = new OpenedInvocations();
  const root = it.insert({ functionName: "f" });
  const traceId = root.replaceAll("-", "");
  const foreign = it.insert({ traceId: "4bf92f3577b34da6a3ce929d0e0e4736" });
  const parts = [it.insert({ traceId, functionName: "g" }), it.insert({ traceId })];
  const found = (filter: Omit<InvocationFilter, "traceId">): string[] =>
    it.invocations.page({ ...filter, traceId }).rows.map((row) => row.id);
  assert.deepEqual(found({ limit: 9 }), [parts[1], parts[0], root]);
  assert.deepEqual(found({ limit: 9, functionName: "f" }), [root]);
  assert.deepEqual(found({ limit: 9, functionName: "g" }), [parts[0]]);
  assert.deepEqual(found({ limit: 9, since: foreign }), [parts[1], parts[0]]);
  assert.deepEqual(found({ limit: 9, before: root }), []);
  const first = it.invocations.page({ traceId, limit: 2 });
  assert.deepEqual([first.rows.length, first.next], [2, parts[0]]);
  assert.deepEqual(found({ limit: 2, before: parts[0]! }), [root]);
});

test("a filter that matches little ends its page after some thousand rows and goes on there", () => {
  using it = new OpenedInvocations();
  const slow = it.insert({ runUs: 1_000_000 });
  it.database.connection.transaction(() => {
    for (let left = 4000; left > 0; left--) it.insert({ runUs: 1 });
  })();
  const first = it.invocations.page({ minRunUs: 1_000_000, limit: 10 });
  assert.deepEqual(first.rows, []);
  assert.ok(first.next !== undefined);
  const second = it.invocations.page({ minRunUs: 1_000_000, limit: 10, before: first.next });
  assert.deepEqual([second.rows.map((row) => row.id), second.next], [[slow], undefined]);
});

const plans: { filter: Omit<InvocationFilter, "limit" | "before">; index: string }[] = [
  { filter: {}, index: "sqlite_autoindex_invocations_1" },
  { filter: { functionName: "f" }, index: "invocations_by_function" },
  { filter: { kind: "execute" }, index: "invocations_by_kind" },
  { filter: { status: "failed" }, index: "invocations_by_status" },
  { filter: { status: "succeeded" }, index: "sqlite_autoindex_invocations_1" },
  { filter: { exitReason: "oom" }, index: "invocations_by_exit_reason" },
  { filter: { exitReason: "exited" }, index: "sqlite_autoindex_invocations_1" },
  { filter: { functionName: "f", status: "lost" }, index: "invocations_by_function_status" },
  { filter: { functionName: "f", status: "succeeded" }, index: "invocations_by_function" },
  {
    filter: { functionName: "f", exitReason: "oom" },
    index: "invocations_by_function_exit_reason",
  },
  { filter: { kind: "invoke", status: "failed" }, index: "invocations_by_kind_status" },
  { filter: { traceId: "t", functionName: "f" }, index: "invocations_by_trace" },
  { filter: { functionName: "f", qualifier: "live" }, index: "invocations_by_function" },
  { filter: { qualifier: "live" }, index: "sqlite_autoindex_invocations_1" },
  { filter: { functionName: "f", minRunUs: 5 }, index: "invocations_by_function" },
  { filter: { minRunUs: 5, since: "0" }, index: "sqlite_autoindex_invocations_1" },
];
for (const { filter, index } of plans) {
  for (const before of [undefined, v7()]) {
    const cursor = before === undefined ? {} : { before };
    test(`a page of ${JSON.stringify(filter)} ${before ? "behind a cursor" : "from the start"} walks ${index}`, () => {
      using it = new OpenedInvocations();
      const { sql, values } = pageQuery({ ...filter, ...cursor, limit: 10 });
      const plan = it.database.connection
        .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
        .all(...values)
        .map((step) => step.detail);
      assert.equal(plan.length, 1, plan.join("; "));
      assert.match(plan[0]!, new RegExp(`USING INDEX ${index}( |$)`));
    });
  }
}

function everyFilter(): Omit<InvocationFilter, "limit">[] {
  const choices: Omit<InvocationFilter, "limit">[][] = [
    [{}, { functionName: "f" }, { functionName: "g" }],
    [{}, ...kinds.map((kind) => ({ kind }))],
    [{}, ...statuses.map((status) => ({ status }))],
    [{}, { exitReason: "exited" }, { exitReason: "oom" }],
  ];
  return choices.reduce((sum, next) => sum.flatMap((a) => next.map((b) => ({ ...a, ...b }))));
}
