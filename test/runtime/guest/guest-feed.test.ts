import assert from "node:assert/strict";
import { duplexPair } from "node:stream";
import test from "node:test";
import { poll } from "../../../runtime/deadline.ts";
import { isRunletError } from "../../../runtime/errors.ts";
import { Channel } from "../../../runtime/guest/channel.ts";
import { type Frame, FrameDecoder } from "../../../runtime/guest/frame.ts";
import { GuestFeed } from "../../../runtime/guest/guest-feed.ts";
import { streamLimits } from "../../../runtime/guest/messages.ts";

const { windowBytes, chunkCostBytes } = streamLimits;
const id = "inv-1";
const maxWholeBytes = 1_000_000;

interface Fed {
  readonly feed: GuestFeed;
  /** What the guest has been sent. */
  readonly frames: Frame[];
  readonly told: { reads: number; isWhole: boolean; cause: unknown };
}

/** A feed of some pieces; the one that is an error is thrown. */
function fed(...pieces: (Buffer | Error)[]): Fed {
  const [host, guest] = duplexPair();
  const frames: Frame[] = [];
  const decoder = new FrameDecoder();
  guest.on("data", (bytes: Buffer) => {
    decoder.push(bytes);
    for (let frame = decoder.next(); frame; frame = decoder.next()) frames.push(frame);
  });
  const told = { reads: 0, isWhole: false, cause: undefined as unknown };
  const source = {
    async next(): Promise<Buffer | undefined> {
      told.reads++;
      const piece = pieces.shift();
      if (piece instanceof Error) throw piece;
      return piece;
    },
  };
  const feed = new GuestFeed(new Channel(host), id, {
    source,
    maxWholeBytes,
    onWhole: () => (told.isWhole = true),
    onBroken: (cause) => (told.cause = cause),
  });
  return { feed, frames, told };
}

async function last({ frames }: Fed, type: string): Promise<void> {
  const isThere = (): true | undefined => frames.at(-1)?.header["type"] === type || undefined;
  await poll(`see ${type}`, isThere, { timeoutMs: 5000 });
}

const bytesOf = (frames: readonly Frame[]): number =>
  frames.reduce((sum, { body }) => sum + body.length, 0);

test("nothing is read before the guest asks, and no more is sent than it asks for", async () => {
  const all = fed(Buffer.alloc(1500), Buffer.alloc(10));
  assert.equal(all.told.reads, 0);
  assert.ok(all.feed.take({ type: "credit", id, bytes: 1000 }));
  await last(all, "chunk");
  assert.deepEqual([bytesOf(all.frames), all.told.reads], [1000 - chunkCostBytes, 1]);
  assert.ok(all.feed.take({ type: "credit", id, bytes: 5000 }));
  await last(all, "end");
  assert.equal(bytesOf(all.frames), 1510);
});

test("the whole is sent without further credit, up to its bound", async () => {
  const fits = fed(Buffer.alloc(maxWholeBytes));
  fits.feed.take({ type: "whole", id });
  await last(fits, "end");
  assert.deepEqual([bytesOf(fits.frames), fits.told.isWhole], [maxWholeBytes, true]);
  const over = fed(Buffer.alloc(maxWholeBytes), Buffer.alloc(1));
  over.feed.take({ type: "whole", id });
  await last(over, "break");
  assert.ok(isRunletError(over.told.cause, "payload_too_large"));
});

test("a source that fails breaks the event off, once", async () => {
  const failure = new Error("gone");
  const broken = fed(Buffer.from("a"), failure);
  broken.feed.take({ type: "credit", id, bytes: windowBytes });
  await last(broken, "break");
  assert.equal(broken.told.cause, failure);
  broken.feed.break(new Error("again"));
  assert.equal(broken.told.cause, failure);
});

test("what is about something else is left to others", () => {
  const { feed } = fed();
  assert.equal(feed.take({ type: "end", id }), false);
  assert.equal(feed.take({ type: "credit", id: "another", bytes: 1 }), false);
});

test("a guest that asks for more than it may is in breach", () => {
  const credit = { type: "credit", id, bytes: windowBytes } as const;
  const asked = fed();
  asked.feed.take(credit);
  assert.throws(() => asked.feed.take(credit), breach);
  assert.throws(() => asked.feed.take({ type: "whole", id }), breach);
  const whole = fed();
  whole.feed.take({ type: "whole", id });
  assert.throws(() => whole.feed.take(credit), breach);
});

function breach(thrown: unknown): boolean {
  return isRunletError(thrown, "protocol_violation");
}
