import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import Sqlite from "better-sqlite3";
import { v7 } from "uuid";
import { RecordWriter } from "../../store/batch.ts";
import { ChildProgram, storeModule } from "./child.ts";
import { OpenedInvocations } from "./opened-invocations.ts";

test("a write is seen by another connection once its promise is fulfilled, and not before", async () => {
  using it = new OpenedInvocations();
  using writer = new RecordWriter(it.database);
  using other = new OtherConnection(it.path);
  const written = writer.write(() => it.insert());
  assert.equal(other.count(), 0);
  assert.equal(typeof (await written), "string");
  assert.equal(other.count(), 1);
});

test("the writes of one turn are one transaction, run in the order they came", async () => {
  using it = new OpenedInvocations();
  using writer = new RecordWriter(it.database);
  using other = new OtherConnection(it.path);
  const order: number[] = [];
  const seenMeanwhile: number[] = [];
  const settled: number[] = [];
  const writes = Array.from({ length: 50 }, async (_, index) => {
    await writer.write(() => {
      order.push(index);
      it.insert();
      seenMeanwhile.push(other.count());
    });
    settled.push(index);
  });
  await Promise.all(writes);
  const expected = Array.from({ length: 50 }, (_, index) => index);
  assert.deepEqual(order, expected);
  assert.deepEqual(settled, expected);
  assert.equal(Math.max(...seenMeanwhile), 0);
  assert.equal(other.count(), 50);
});

test("the writes of another turn are another transaction", async () => {
  using it = new OpenedInvocations();
  using writer = new RecordWriter(it.database);
  using other = new OtherConnection(it.path);
  const first = writer.write(() => it.insert());
  await turn();
  const seen = await writer.write(() => other.count());
  assert.equal(seen, 1);
  await first;
});

test("a write that fails is undone and rejected alone", async () => {
  using it = new OpenedInvocations();
  using writer = new RecordWriter(it.database);
  const ids = [v7(), v7(), v7()] as const;
  let runs = 0;
  const results = await Promise.allSettled([
    writer.write(() => it.insert({ id: ids[0] })),
    writer.write(() => {
      runs += 1;
      it.insert({ id: ids[1] });
      throw new Error("changed my mind");
    }),
    writer.write(() => it.insert({ id: ids[0] })),
    writer.write(() => it.insert({ id: ids[2] })),
  ]);
  assert.deepEqual(
    results.map((result) => result.status),
    ["fulfilled", "rejected", "rejected", "fulfilled"],
  );
  assert.equal((results[1] as PromiseRejectedResult).reason.message, "changed my mind");
  assert.match((results[2] as PromiseRejectedResult).reason.message, /UNIQUE/);
  assert.equal(runs, 1);
  const found = it.invocations.page({ limit: 10 }).rows.map((row) => row.id);
  assert.deepEqual(found, [ids[2], ids[0]]);
});

test("a write that waits for something is refused, since the transaction would not", async () => {
  using it = new OpenedInvocations();
  using writer = new RecordWriter(it.database);
  const waiting = writer.write(async () => {
    it.insert();
    await turn();
  });
  await assert.rejects(waiting, { message: /cannot return a promise/ });
  assert.deepEqual(it.invocations.page({ limit: 10 }).rows, []);
});

test("a transaction that is lost as a whole rejects every write of its turn", async () => {
  using it = new OpenedInvocations();
  using writer = new RecordWriter(it.database);
  const results = await Promise.allSettled([
    writer.write(() => it.insert()),
    writer.write(() => {
      // As SQLite itself does when the disk is full.
      it.database.connection.exec("ROLLBACK");
      throw new Error("disk full");
    }),
    writer.write(() => it.insert()),
  ]);
  for (const result of results) {
    assert.equal((result as PromiseRejectedResult).reason.message, "disk full");
  }
  assert.deepEqual(it.invocations.page({ limit: 10 }).rows, []);
  await writer.write(() => it.insert());
  assert.equal(it.invocations.page({ limit: 10 }).rows.length, 1);
});

test("closing the writer commits what is open at once, and refuses what comes later", async () => {
  using it = new OpenedInvocations();
  using other = new OtherConnection(it.path);
  const writer = new RecordWriter(it.database);
  const written = writer.write(() => it.insert());
  writer[Symbol.dispose]();
  writer[Symbol.dispose]();
  assert.equal(other.count(), 1);
  await written;
  await assert.rejects(
    writer.write(() => it.insert()),
    { message: /it is closed/ },
  );
  assert.equal(other.count(), 1);
});

const endlessWriter = `
  import { openDatabase } from ${JSON.stringify(storeModule("database.ts"))};
  import { InvocationStore } from ${JSON.stringify(storeModule("invocations.ts"))};
  import { RecordWriter } from ${JSON.stringify(storeModule("batch.ts"))};
  import { v7 } from ${JSON.stringify(import.meta.resolve("uuid"))};
  import { writeSync } from "node:fs";
  const database = openDatabase(process.argv.at(-1));
  const invocations = new InvocationStore(database);
  const writer = new RecordWriter(database);
  for (;;) {
    await Promise.all(Array.from({ length: 8 }, async () => {
      const id = v7();
      await writer.write(() =>
        invocations.insert({ id, kind: "invoke", status: "succeeded", queuedAtUs: 1 }));
      writeSync(1, id + "\\n");
    }));
  }
`;

for (const answers of [1, 100, 1000]) {
  test(`a process killed after ${answers} answers or more leaves each answered write on record`, async () => {
    using it = new OpenedInvocations();
    let output = "";
    {
      await using child = new ChildProgram(endlessWriter, [it.path]);
      for await (const piece of child.output) {
        output += piece;
        if (output.length >= answers * 37) child.kill();
      }
    }
    const ids = output.split("\n").slice(0, -1);
    assert.ok(ids.length >= answers);
    for (const id of ids) assert.equal(it.invocations.get(id)?.status, "succeeded");
    assert.deepEqual(it.database.findDamage(), []);
  });
}

class OtherConnection implements Disposable {
  readonly #connection: Sqlite.Database;

  constructor(path: string) {
    this.#connection = new Sqlite(path, { readonly: true });
  }

  count(): number {
    return this.#connection.prepare("SELECT count(*) FROM invocations").pluck().get() as number;
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}
