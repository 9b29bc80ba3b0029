import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  type Expected,
  invalid,
  missing,
  testRefusals,
  tooLarge,
  withSomething,
} from "../support/refusals.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

const good = { function: "good", expression: "rate(1 hour)" };

let server: TestServer;
before(async () => {
  server = await startTestServer();
  await withSomething(server);
});
after(async () => await server[Symbol.asyncDispose]());

const bodies: { what: string; body: unknown; expected: Expected }[] = [
  {
    what: "an hour that no day has",
    body: { ...good, expression: "0 25 * * *" },
    expected: invalid(/expression: its hour "25"/),
  },
  {
    what: "a date that never comes",
    body: { ...good, expression: "0 0 30 2 *" },
    expected: invalid(/expression: "0 0 30 2 \*" never comes due/),
  },
  {
    what: "a rate of half a second",
    body: { ...good, expression: "rate(0.5 seconds)" },
    expected: invalid(/expression: .* is no rate/),
  },
  {
    what: "a time zone that nobody knows",
    body: { ...good, timeZone: "Mars/Base" },
    expected: invalid(/timeZone: "Mars\/Base" is not known/),
  },
  {
    what: "an unknown function",
    body: { ...good, function: "nobody" },
    expected: missing(/function nobody/),
  },
  {
    what: "an unknown version",
    body: { ...good, qualifier: "99" },
    expected: missing(/version 99 of function good/),
  },
  {
    what: "text that is an object",
    body: { ...good, contentType: "text/plain", event: {} },
    expected: invalid(/event: expected a string/),
  },
  {
    what: "a content type that is none",
    body: { ...good, contentType: "text" },
    expected: invalid(/contentType: expected a media type/),
  },
  {
    what: "a policy that is none",
    body: { ...good, missedRuns: "twice" },
    expected: invalid(/missedRuns/),
  },
  { what: "no expression", body: { function: "good" }, expected: invalid(/expression/) },
  {
    what: "a word that means nothing",
    body: { ...good, cron: "* * * * *" },
    expected: invalid(/cron/),
  },
  {
    what: "an event over its bound",
    body: { ...good, event: "x".repeat(256 * 1024) },
    expected: tooLarge(/larger than 262144 bytes/),
  },
];

testRefusals(
  () => server,
  [
    ...bodies.map((each) => ({
      ...each,
      what: `a schedule with ${each.what}`,
      method: "PUT",
      path: "/v1/schedules/s",
    })),
    {
      what: "a schedule of no valid name",
      method: "PUT",
      path: "/v1/schedules/a%20b",
      body: good,
      expected: invalid(/name: expected 1 to 64 letters/),
    },
    ...["GET", "DELETE"].map((method) => ({
      what: `${method} of an unknown schedule`,
      method,
      path: "/v1/schedules/nothing",
      expected: missing(/schedule nothing: it does not exist/),
    })),
    ...["pause", "resume", "run"].map((verb) => ({
      what: `the ${verb} of an unknown schedule`,
      method: "POST",
      path: `/v1/schedules/nothing/${verb}`,
      expected: missing(/schedule nothing: it does not exist/),
    })),
  ],
);

test("no refused schedule was made", async () => {
  assert.deepEqual(await server.client.schedules(), { items: [] });
});
