import assert from "node:assert/strict";
import { test } from "node:test";
import { parseExpression } from "../../../../api/domain/schedules/expression.ts";

const timeZone = "Europe/Berlin";
/** Evenings before the nights in which Berlin's clocks go from 02:00 to 03:00, and from 03:00 back to 02:00. */
const spring = "2026-03-28T21:00:00Z";
const autumn = "2026-10-24T20:00:00Z";

const table: { what: string; cron: string; after: string; times: string[] }[] = [
  {
    what: "a time of day that spring leaves out comes due once, at the first moment after the gap",
    cron: "30 2 * * *",
    after: spring,
    times: ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
  },
  {
    what: "a time of day that autumn has twice comes due once, the first time",
    cron: "30 2 * * *",
    after: autumn,
    times: ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
  },
  {
    what: "of several times of day, each comes due once in spring",
    cron: "30 2,14 * * *",
    after: spring,
    times: ["2026-03-29T01:00:00Z", "2026-03-29T12:30:00Z", "2026-03-30T00:30:00Z"],
  },
  {
    what: "of several times of day, each comes due once in autumn",
    cron: "30 2,14 * * *",
    after: autumn,
    times: ["2026-10-25T00:30:00Z", "2026-10-25T13:30:00Z", "2026-10-26T01:30:00Z"],
  },
  {
    what: "every half hour of two o'clock is left out in spring",
    cron: "*/30 2 * * *",
    after: spring,
    times: ["2026-03-30T00:00:00Z", "2026-03-30T00:30:00Z"],
  },
  {
    what: "every half hour of two o'clock comes due twice in autumn",
    cron: "*/30 2 * * *",
    after: autumn,
    times: [
      "2026-10-25T00:00:00Z",
      "2026-10-25T00:30:00Z",
      "2026-10-25T01:00:00Z",
      "2026-10-25T01:30:00Z",
      "2026-10-26T01:00:00Z",
    ],
  },
  {
    what: "half past each hour comes due an hour apart through spring's change",
    cron: "30 * * * *",
    after: "2026-03-29T00:00:00Z",
    times: ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z"],
  },
  {
    what: "half past each hour comes due an hour apart through autumn's change",
    cron: "30 * * * *",
    after: "2026-10-25T00:00:00Z",
    times: ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"],
  },
  {
    what: "six fields begin with seconds",
    cron: "*/20 0 12 * * *",
    after: "2026-06-01T00:00:00Z",
    times: ["2026-06-01T10:00:00Z", "2026-06-01T10:00:20Z", "2026-06-01T10:00:40Z"],
  },
];

for (const { what, cron, after, times } of table) {
  test(`${what} (${cron})`, () => {
    assert.deepEqual(dueAfter(cron, after, times.length), times);
  });
}

test("a rate counts from its anchor, however late it is asked", () => {
  const anchoredAtUs = 1_000_000_500_000;
  const rate = parseExpression({ expression: "rate(5 minutes)", timeZone: "UTC", anchoredAtUs });
  const everyUs = 300_000_000;
  assert.equal(rate.next(anchoredAtUs), anchoredAtUs + everyUs);
  assert.equal(rate.next(anchoredAtUs + everyUs), anchoredAtUs + 2 * everyUs);
  assert.equal(rate.next(anchoredAtUs + 10.5 * everyUs), anchoredAtUs + 11 * everyUs);
  assert.equal(rate.next(0), anchoredAtUs + everyUs);
});

for (const [expression, seconds] of [
  ["rate(1 second)", 1],
  ["rate(90 seconds)", 90],
  ["rate(1 minute)", 60],
  ["rate(2 hours)", 7_200],
  ["rate(366 days)", 31_622_400],
] as const) {
  test(`${expression} comes due after ${seconds} s`, () => {
    const rate = parseExpression({ expression, timeZone: "UTC", anchoredAtUs: 0 });
    assert.equal(rate.next(0), seconds * 1_000_000);
  });
}

test("a date that never comes has no due time", () => {
  assert.deepEqual(dueAfter("0 0 30 2 *", spring, 1), []);
});

for (const [expression, said] of [
  ["99 * * * *", /expression: its minute "99"/],
  ["* 24 * * *", /expression: its hour "24"/],
  ["* * 32 * *", /expression: its day of month "32"/],
  ["* * * 13 *", /expression: its month "13"/],
  ["* * * * mo", /expression: its day of week "mo"/],
  ["61 * * * * *", /expression: its second "61"/],
  ["*/0 * * * *", /expression: its minute "\*\/0"/],
  ["* * * *", /expression: "\* \* \* \*" has neither 5 nor 6 fields/],
  ["* * * * * * *", /has neither/],
  ["@reboot", /has neither/],
  ["2026-01-01T00:00:00", /has neither/],
  ["rate(0 seconds)", /expression: "rate\(0 seconds\)" is no rate/],
  ["rate(5 weeks)", /is no rate/],
  ["rate(367 days)", /is no rate/],
  ["rate(1.5 hours)", /is no rate/],
] as const) {
  test(`"${expression}" is refused and its fault is named`, () => {
    assert.throws(() => parseExpression({ expression, timeZone: "UTC", anchoredAtUs: 0 }), {
      code: "invalid_argument",
      message: said,
    });
  });
}

test("a time zone that nobody knows is refused by name", () => {
  const text = { expression: "* * * * *", timeZone: "Mars/Base", anchoredAtUs: 0 };
  assert.throws(() => parseExpression(text), {
    code: "invalid_argument",
    message: /timeZone: "Mars\/Base" is not known/,
  });
});

function dueAfter(expression: string, after: string, count: number): string[] {
  const parsed = parseExpression({ expression, timeZone, anchoredAtUs: 0 });
  const times: string[] = [];
  let atUs: number | undefined = Date.parse(after) * 1000;
  while (times.length < count) {
    atUs = parsed.next(atUs);
    if (atUs === undefined) break;
    times.push(new Date(atUs / 1000).toISOString().replace(".000Z", "Z"));
  }
  return times;
}
