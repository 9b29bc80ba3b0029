import assert from "node:assert/strict";
import { test } from "node:test";
import { Capture } from "../../../../runtime/container/stdio/capture.ts";
import { Mask, minMaskedBytes } from "../../../../runtime/container/stdio/mask.ts";
import {
  maskedText,
  MaskedSink,
  maskSign,
} from "../../../../runtime/container/stdio/masked-sink.ts";

const table = [
  { what: "no value", values: ["secret"], written: "nothing to see", seen: "nothing to see" },
  { what: "a value", values: ["secret"], written: "a secret b", seen: "a *** b" },
  { what: "a value alone", values: ["secret"], written: "secret", seen: "***" },
  { what: "a value twice", values: ["secret"], written: "secretsecret", seen: "******" },
  { what: "a beginning", values: ["secret"], written: "secre", seen: "secre" },
  { what: "a beginning before a value", values: ["secret"], written: "secsecret", seen: "sec***" },
  { what: "one in another", values: ["word", "password1"], written: "password1", seen: "***" },
  {
    what: "the shorter alone",
    values: ["word", "password1"],
    written: "password",
    seen: "pass***",
  },
  {
    what: "one that begins another",
    values: ["pass", "password"],
    written: "passwor",
    seen: "***wor",
  },
  { what: "two that overlap", values: ["abcdef", "defghi"], written: "-abcdefghi-", seen: "-***-" },
  {
    what: "a chain that overlaps",
    values: ["abcd", "defg", "ghij"],
    written: "abcdefghij",
    seen: "***",
  },
  { what: "one that overlaps itself", values: ["anana"], written: "bananananas", seen: "b***s" },
  { what: "a value of one letter", values: ["aaaa"], written: "aaaaaaab", seen: "***b" },
  { what: "lines", values: ["one\ntwo\n\nsix"], written: ">one\ntwo\n\nsix\n", seen: ">***\n" },
  { what: "white space around", values: [" \tsecret\n"], written: "[secret]\n", seen: "[***]\n" },
  { what: "characters of more bytes", values: ["clé☂"], written: "la clé☂é", seen: "la ***é" },
  { what: "half a character more", values: ["clé1"], written: "clè1 clé1", seen: "clè1 ***" },
  { what: "equal values", values: ["secret", "secret "], written: "secret", seen: "***" },
  {
    what: "a short value beside",
    values: ["abc", "secret"],
    written: "abc secret",
    seen: "abc ***",
  },
];
for (const { what, values, written, seen } of table) {
  test(`of output with ${what} ${JSON.stringify(seen)} is seen, however it is split`, () => {
    const mask = maskOf(values);
    assert.equal(maskedText(written, mask), seen);
    const bytes = Buffer.from(written);
    for (let at = 0; at <= bytes.length; at++) {
      assert.equal(seenOf(mask, [bytes.subarray(0, at), bytes.subarray(at)]), seen, `at ${at}`);
    }
    assert.equal(
      seenOf(
        mask,
        [...bytes].map((byte) => Buffer.from([byte])),
      ),
      seen,
    );
  });
}

test("whatever values and output there are, and however it is split, all that belongs to a value is hidden", () => {
  const random = randomNumbers(20_260_131);
  const wordOf = (length: number): string =>
    Array.from({ length }, () => "abc"[random(3)]).join("");
  for (let round = 0; round < 3000; round++) {
    const values = Array.from({ length: 1 + random(5) }, () => wordOf(minMaskedBytes + random(6)));
    const written = Array.from({ length: random(12) }, () =>
      random(2) === 0 ? wordOf(random(8)) : (values[random(values.length)] ?? ""),
    ).join("");
    const chunks: Buffer[] = [];
    for (let at = 0; at < written.length;) {
      const length = random(9);
      chunks.push(Buffer.from(written.slice(at, at + length)));
      at += length;
    }
    const about = JSON.stringify({ values, chunks: chunks.map(String) });
    assert.equal(seenOf(maskOf(values), chunks), plainlyMasked(values, written), about);
  }
});

test("only what may begin a value is held back, until it is known or flushed", () => {
  const capture = new Capture(1000);
  const sink = new MaskedSink(maskOf(["secret", "aabbaa"]), capture);
  const seenAfter = (text: string): string => {
    sink.write(Buffer.from(text));
    return capture.text();
  };
  assert.equal(seenAfter("a line\n"), "a line\n");
  assert.equal(seenAfter("sec"), "a line\n");
  assert.equal(seenAfter("tion\n"), "a line\nsection\n");
  assert.equal(seenAfter("secre"), "a line\nsection\n");
  // Nothing that may follow could change it.
  assert.equal(seenAfter("t"), "a line\nsection\n***");
  assert.equal(seenAfter("aabbaa"), "a line\nsection\n******");
  assert.equal(seenAfter("bbaa"), "a line\nsection\n******");
  assert.equal(seenAfter("sec"), "a line\nsection\n******");
  sink.flush();
  assert.equal(capture.text(), "a line\nsection\n******sec");
  sink.flush();
  assert.equal(seenAfter("ret"), "a line\nsection\n******secret");
});

test("what is counted, kept and cut is what is seen", () => {
  const capture = new Capture(10);
  const sink = new MaskedSink(maskOf(["a long secret"]), capture);
  sink.write(Buffer.from("x a long secret y"));
  assert.deepEqual([capture.totalBytes, capture.truncated], [7, false]);
  assert.equal(capture.text(), "x *** y");
  sink.write(Buffer.from(" a long se"));
  sink.flush();
  assert.deepEqual([capture.totalBytes, capture.truncated], [17, true]);
  assert.equal(capture.toBuffer().toString(), "x *** y a ");
});

test("a limit that falls into a value leaves nothing of it", () => {
  const capture = new Capture(4);
  const sink = new MaskedSink(maskOf(["secret"]), capture);
  for (const chunk of ["ab ", "secret", " cd"]) sink.write(Buffer.from(chunk));
  sink.flush();
  assert.equal(capture.toBuffer().toString(), "ab *");
});

test("output that comes byte by byte, always about to be a long value, costs no more for it", () => {
  const value = `${"a".repeat(30_000)}b`;
  const capture = new Capture(1000);
  const sink = new MaskedSink(maskOf([value]), capture);
  const byte = Buffer.from("a");
  const start = performance.now();
  for (let left = 300_000; left > 0; left--) sink.write(byte);
  sink.flush();
  const tookMs = performance.now() - start;
  assert.equal(capture.totalBytes, 300_000);
  // What looks at all that is held back again for each byte takes minutes.
  assert.ok(tookMs < 10_000, `${tookMs} ms`);
});

test("there is no mask for values of less than four bytes", () => {
  assert.equal(Mask.of([]), undefined);
  assert.equal(Mask.of(["", "1", "abc", " abc \n", "é1"]), undefined);
  assert.equal(maskedText("abcd éé", maskOf(["abcd", "éé"])), "*** ***");
});

function maskOf(values: readonly string[]): Mask {
  const mask = Mask.of(values);
  assert.ok(mask);
  return mask;
}

function seenOf(mask: Mask, chunks: readonly Uint8Array[]): string {
  const capture = new Capture(1_000_000);
  const sink = new MaskedSink(mask, capture);
  for (const chunk of chunks) {
    // A chunk is valid during the call only.
    const reused = Buffer.from(chunk);
    sink.write(reused);
    reused.fill("!");
  }
  sink.flush();
  return capture.text();
}

/** The same in the plainest way: every place of every value, those that overlap as one. */
function plainlyMasked(values: readonly string[], text: string): string {
  const places = values.flatMap((value) =>
    Array.from(text, (_, start) => ({ start, end: start + value.length })).filter(({ start }) =>
      text.startsWith(value, start),
    ),
  );
  places.sort((a, b) => a.start - b.start);
  let seen = "";
  let doneTo = 0;
  for (const { start, end } of places) {
    if (start >= doneTo) seen += text.slice(doneTo, start) + maskSign;
    doneTo = Math.max(doneTo, end);
  }
  return seen + text.slice(doneTo);
}

/** Numbers below a bound, the same in every run. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
