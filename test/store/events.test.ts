import assert from "node:assert/strict";
import { test } from "node:test";
import { v7 } from "uuid";
import { type Database, openDatabase } from "../../store/database.ts";
import type { NewEvent } from "../../store/event-row.ts";
import { EventStore } from "../../store/events.ts";
import { TempDirectory } from "./temp-directory.ts";

const nobody: ReadonlySet<string> = new Set();
const error = { code: "function_error", message: "it threw" };
const exhausted = {
  state: "dead",
  condition: "RetriesExhausted",
  isCounted: true,
  error,
} as const;

function eventOf(event: Partial<NewEvent>): Omit<NewEvent, "id"> {
  return {
    kind: "invoke",
    functionName: "f",
    qualifier: null,
    contentType: null,
    body: Buffer.from("{}"),
    source: "test",
    traceId: null,
    isSampled: true,
    depth: 0,
    callback: null,
    acceptedAtUs: 10,
    ...event,
  };
}

class OpenedEvents implements Disposable {
  readonly #directory = new TempDirectory();
  readonly database: Database = openDatabase(this.#directory.file("record.db"));
  readonly events: EventStore = new EventStore(this.database);

  insert(event: Partial<NewEvent> = {}): string {
    const id = event.id ?? v7();
    this.events.insert({ ...eventOf(event), id });
    return id;
  }

  /** The id of the event that is leased. */
  lease(atUs = 100, after = "", except: ReadonlySet<string> = nobody): string | undefined {
    const mayRun = (name: string): boolean => !except.has(name);
    return this.events.lease({ kind: "invoke", after, mayRun, atUs })?.id;
  }

  [Symbol.dispose](): void {
    this.database[Symbol.dispose]();
    this.#directory[Symbol.dispose]();
  }
}

test("every fact of an event comes back as it was queued", () => {
  using it = new OpenedEvents();
  const callback = { url: "https://a.example", secret: "key" };
  const facts = {
    callback,
    qualifier: "3",
    contentType: "text/plain",
    traceId: "ab",
    isSampled: false,
    functionName: "g",
  };
  const id = it.insert({ ...facts, body: Buffer.from([0, 255]), acceptedAtUs: 77 });
  const { body, ...event } = it.events.get(id) ?? assert.fail("it is not there");
  assert.deepEqual(Buffer.from(body ?? []), Buffer.from([0, 255]));
  assert.deepEqual(event, {
    ...facts,
    id,
    kind: "invoke",
    source: "test",
    depth: 0,
    bodyBytes: 2,
    state: "queued",
    attempts: 0,
    throttles: 0,
    nextAtUs: 77,
    acceptedAtUs: 77,
    endedAtUs: null,
    deadCondition: null,
    errorCode: null,
    errorMessage: null,
  });
});

test("an event with an id that is there already changes nothing", () => {
  using it = new OpenedEvents();
  const id = it.insert();
  it.insert({ id, functionName: "other" });
  assert.equal(it.events.list({ limit: 10 }).length, 1);
  assert.equal(it.events.get(id)?.functionName, "f");
});

test("the functions have their turns in a circle, each with its oldest due event", () => {
  using it = new OpenedEvents();
  const [a1, a2, b1, c1] = [
    it.insert({ functionName: "a" }),
    it.insert({ functionName: "a" }),
    it.insert({ functionName: "b" }),
    it.insert({ functionName: "c", acceptedAtUs: 200 }),
  ];
  assert.equal(it.lease(100, ""), a1);
  assert.equal(it.lease(100, "a"), b1);
  assert.equal(it.lease(100, "b"), a2, "c is not due yet");
  assert.equal(it.lease(100, "a"), undefined);
  assert.equal(it.events.nextDueAtUs("invoke", 100), 200);
  assert.equal(it.lease(200, "c"), c1, "the function that had the last turn may have the next one");
  assert.equal(it.events.nextDueAtUs("invoke", 200), undefined);
});

test("a function that is left out loses its turn and nothing else", () => {
  using it = new OpenedEvents();
  const a = it.insert({ functionName: "a" });
  const b = it.insert({ functionName: "b" });
  assert.equal(it.lease(100, "", new Set(["a"])), b);
  assert.equal(it.lease(100, "", new Set(["a"])), undefined);
  assert.equal(it.lease(100, "b"), a);
});

test("an attempt counts from its lease on, unless it is given back as none", () => {
  using it = new OpenedEvents();
  const id = it.insert();
  it.lease();
  assert.equal(it.events.get(id)?.attempts, 1);
  it.events.reschedule(id, { nextAtUs: 50, isCounted: false, error });
  assert.equal(it.events.get(id)?.attempts, 0);
  assert.equal(it.events.get(id)?.throttles, 1);
  it.lease();
  it.events.reschedule(id, { nextAtUs: 60, isCounted: true, error });
  const { attempts, throttles, nextAtUs, errorMessage } = it.events.get(id) ?? assert.fail();
  assert.deepEqual({ attempts, throttles, nextAtUs }, { attempts: 1, throttles: 0, nextAtUs: 60 });
  assert.equal(errorMessage, "it threw");
});

test("an attempt that was not made counts no more where the event is given up", () => {
  using it = new OpenedEvents();
  const [turnedAway, tried] = [it.insert(), it.insert()];
  for (const id of [turnedAway, tried]) {
    it.lease();
    it.events.finish(id, { ...exhausted, isCounted: id === tried, atUs: 1 });
  }
  assert.deepEqual(
    [turnedAway, tried].map((id) => it.events.get(id)?.attempts),
    [0, 1],
  );
});

test("only a running event can end, and its body goes where it succeeded and stays where it is dead", () => {
  using it = new OpenedEvents();
  const [good, bad] = [it.insert(), it.insert()];
  assert.equal(it.events.finish(good, { state: "succeeded", atUs: 1 }), false);
  it.lease();
  it.lease();
  assert.equal(it.events.finish(good, { state: "succeeded", atUs: 120 }), true);
  it.events.finish(bad, { ...exhausted, atUs: 130 });
  assert.equal(it.events.get(good)?.body, null);
  assert.deepEqual(it.events.get(bad)?.body, Buffer.from("{}"));
  assert.equal(it.events.get(bad)?.deadCondition, exhausted.condition);
  assert.equal(it.events.reschedule(bad, { nextAtUs: 1, isCounted: true, error }), false);
  assert.equal(it.lease(1000), undefined);
});

test("what ran when the server ended is due again with its attempt counted", () => {
  using it = new OpenedEvents();
  const id = it.insert();
  it.insert();
  it.lease();
  assert.equal(it.events.recover("invoke", 500, error), 1);
  const { state, attempts, nextAtUs, errorCode } = it.events.get(id) ?? assert.fail();
  assert.deepEqual(
    { state, attempts, nextAtUs, errorCode },
    { state: "queued", attempts: 1, nextAtUs: 500, errorCode: error.code },
  );
});

test("only an event that waits is removed, and only one that has succeeded is pruned", () => {
  using it = new OpenedEvents();
  const [first, second] = [it.insert(), it.insert()];
  it.lease();
  assert.equal(it.events.removeQueued(first), false);
  assert.equal(it.events.removeQueued(second), true);
  assert.equal(it.events.prune(1000, 10), 0);
  it.events.finish(first, { state: "succeeded", atUs: 500 });
  assert.equal(it.events.prune(500, 10), 0);
  assert.equal(it.events.prune(501, 10), 1);
  assert.deepEqual(it.events.list({ limit: 10 }), []);
});

test("a page has the newest events of its function and state, and the next one those before", () => {
  using it = new OpenedEvents();
  const ids = Array.from({ length: 5 }, () => it.insert());
  it.insert({ functionName: "other" });
  it.lease();
  const filter = { functionName: "f", state: "queued", limit: 2 } as const;
  const page = it.events.list(filter).map(({ id }) => id);
  assert.deepEqual(page, [ids[4], ids[3]]);
  const rest = it.events.list({ ...filter, before: ids[3] }).map(({ id }) => id);
  assert.deepEqual(rest, [ids[2], ids[1]]);
  assert.deepEqual(
    it.events.list({ state: "running", limit: 9 }).map(({ id }) => id),
    [ids[0]],
  );
});

test("the depths are those of the rows, whatever became of them", () => {
  using it = new OpenedEvents();
  const ids = Array.from({ length: 5 }, () => it.insert());
  const other = it.insert({ functionName: "other" });
  it.insert({ id: other, functionName: "other" });
  for (const [index] of ids.entries()) it.lease(100 + index, "", new Set(["other"]));
  const [a = "", b = "", c = "", d = "", e = ""] = ids;
  it.events.finish(a, { state: "succeeded", atUs: 1 });
  for (const id of [b, c, d]) {
    it.events.finish(id, { ...exhausted, atUs: 1 });
  }
  it.events.reschedule(e, { nextAtUs: 500, isCounted: true, error });
  assert.equal(it.events.redrive([b, "nothing"], 600), 1);
  assert.equal(it.events.removeDead([c, b]), 1);
  it.events.prune(10, 10);
  const kind = "invoke";
  assert.deepEqual(it.events.depths(), [
    { functionName: "f", kind, state: "dead", count: 1, oldestId: d },
    { functionName: "f", kind, state: "queued", count: 2, oldestId: b },
    { functionName: "other", kind, state: "queued", count: 1, oldestId: other },
  ]);
  const { attempts, acceptedAtUs, deadCondition } = it.events.get(b) ?? assert.fail();
  assert.deepEqual(
    { attempts, acceptedAtUs, deadCondition },
    { attempts: 0, acceptedAtUs: 600, deadCondition: null },
  );
});

test("the kinds of events have their turns apart, and come to be due again apart", () => {
  using it = new OpenedEvents();
  const callback = { url: "https://a.example", secret: "key" };
  const delivery = it.insert({ kind: "deliver", callback, acceptedAtUs: 50 });
  assert.equal(it.lease(), undefined);
  assert.equal(it.events.nextDueAtUs("invoke", 0), undefined);
  assert.equal(it.events.nextDueAtUs("deliver", 0), 50);
  const turn = { kind: "deliver", after: "", mayRun: () => true, atUs: 100 } as const;
  assert.deepEqual(it.events.lease(turn)?.callback, callback);
  assert.equal(it.events.recover("invoke", 100, error), 0);
  assert.equal(it.events.recover("deliver", 100, error), 1);
  assert.equal(it.events.get(delivery)?.state, "queued");
});

test("what follows from an end is queued with it, and only where it is the end", () => {
  using it = new OpenedEvents();
  const id = it.insert();
  const next = { ...eventOf({ functionName: "next", depth: 1 }), id: v7() };
  assert.equal(it.events.finish(id, { state: "succeeded", atUs: 1 }, [next]), false);
  assert.equal(it.events.get(next.id), undefined);
  it.lease();
  assert.equal(it.events.finish(id, { state: "succeeded", atUs: 1 }, [next]), true);
  assert.equal(it.events.get(next.id)?.depth, 1);
});

test("an event that is driven again begins a chain of its own", () => {
  using it = new OpenedEvents();
  const id = it.insert({ depth: 17 });
  it.lease();
  it.events.finish(id, { ...exhausted, atUs: 1 });
  it.events.redrive([id], 2);
  assert.equal(it.events.get(id)?.depth, 0);
});
