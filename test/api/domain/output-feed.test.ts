import assert from "node:assert/strict";
import { test } from "node:test";
import { OutputFeed } from "../../../api/domain/output-feed.ts";
import type { FollowEvent } from "../../../api/schema/follow.ts";

const run = { id: "a", functionName: "f" };

test("a chunk's bytes may be used again once it was told of, and may end inside a character", async () => {
  using feed = new OutputFeed();
  using follower = feed.follow({ functionName: "f" });
  const bytes = Buffer.from("ä€");
  const texts: string[] = [];
  for (const [from, to] of [
    [0, 1],
    [1, 4],
    [4, 5],
  ] as const) {
    const chunk = Buffer.from(bytes.subarray(from, to));
    feed.publish(run, "stdout", chunk);
    chunk.fill(0);
  }
  feed.end(run, "succeeded");
  for (let event = await follower.next(); event?.type === "output"; event = await follower.next()) {
    texts.push(event.text);
  }
  assert.deepEqual(texts, ["ä", "€"]);
});

for (const size of [1, 64 * 1024]) {
  test(`what waits of chunks of ${size} bytes stays bounded; the rest is cut off with a mark`, async () => {
    using feed = new OutputFeed();
    const follower = feed.follow({ invocationId: "a" });
    for (let left = 10_000; left > 0; left--) feed.publish(run, "stdout", Buffer.alloc(size, "x"));
    const events: FollowEvent[] = [];
    for (let event = await follower.next(); event; event = await follower.next())
      events.push(event);
    const waited = events.reduce((sum, it) => sum + (it.type === "output" ? it.text.length : 0), 0);
    assert.ok(waited > 0 && waited <= 1024 * 1024);
    assert.ok(events.length < 5000);
    assert.equal(events.at(-1)?.type, "cut");
  });
}

test("a follower that is ended takes what waits and then nothing", async () => {
  using feed = new OutputFeed();
  const follower = feed.follow({ functionName: "f" });
  feed.publish(run, "stderr", Buffer.from("x"));
  const waiting = feed.follow({ functionName: "f" }).next();
  feed[Symbol.dispose]();
  assert.equal((await follower.next())?.type, "output");
  assert.equal(await follower.next(), undefined);
  assert.equal(await waiting, undefined);
  assert.equal(await feed.follow({ functionName: "f" }).next(), undefined);
});
