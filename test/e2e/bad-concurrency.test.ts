import { after, before } from "node:test";
import {
  type Expected,
  invalid,
  missing,
  testRefusals,
  withSomething,
} from "../support/refusals.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ overrides: { maxConcurrency: 4 } });
  await withSomething(server);
  await server.client.deploy("program", { runtime: "command", command: ["true"] });
  await server.client.deploy("other", { runtime: "command", command: ["true"] });
  await server.client.setConcurrency("other", { reserved: 2 });
});
after(async () => await server[Symbol.asyncDispose]());

const tooMany: Expected = {
  status: 409,
  code: "failed_precondition",
  detail:
    /Cannot reserve 2 .* function good: of 4, 2 are reserved for other functions and 1 must be left .* Reserve 1 at most/,
};

const settings: { what: string; name?: string; body: unknown; expected: Expected }[] = [
  { what: "more slots than are left", body: { reserved: 2 }, expected: tooMany },
  { what: "less than no slot", body: { reserved: -1 }, expected: invalid(/reserved/) },
  { what: "half a slot", body: { reserved: 0.5 }, expected: invalid(/reserved/) },
  { what: "slots as text", body: { reserved: "1" }, expected: invalid(/reserved/) },
  { what: "too many containers", body: { provisioned: 1001 }, expected: invalid(/provisioned/) },
  { what: "a word that means nothing", body: { concurrency: 1 }, expected: invalid(/concurrency/) },
  { what: "a body that is no JSON", body: "{reserved", expected: invalid(/Malformed JSON/) },
  {
    what: "containers of a command function",
    name: "program",
    body: { provisioned: 1 },
    expected: invalid(/each call of a command function starts its own/),
  },
  {
    what: "an unknown function",
    name: "nobody",
    body: { reserved: 1 },
    expected: missing(/function nobody/),
  },
];

const schedules: { what: string; body: object; expected: Expected }[] = [
  { what: "an event", body: { event: {} }, expected: invalid(/event: goes with an event/) },
  { what: "a qualifier", body: { qualifier: "1" }, expected: invalid(/qualifier: goes with/) },
  { what: "too many", body: { provisioned: 1001 }, expected: invalid(/provisioned/) },
  {
    what: "a command function",
    body: { function: "program" },
    expected: invalid(/each call of a command function starts its own/),
  },
];

const limits: { what: string; body: unknown }[] = [
  { what: "no calls a second", body: { perSecond: 0 } },
  { what: "a burst of none", body: { perSecond: 1, burst: 0 } },
  { what: "half a call at once", body: { perSecond: 1, burst: 0.5 } },
  { what: "a burst alone", body: { burst: 5 } },
  { what: "a word that means nothing", body: { perSecond: 1, perMinute: 60 } },
];

testRefusals(
  () => server,
  [
    ...settings.map(({ what, name = "good", body, expected }) => ({
      what: `concurrency with ${what}`,
      method: "PUT",
      path: `/v1/functions/${name}/concurrency`,
      body,
      expected,
    })),
    ...["GET", "DELETE"].map((method) => ({
      what: `${method} of the concurrency of an unknown function`,
      method,
      path: "/v1/functions/nobody/concurrency",
      expected: missing(/function nobody/),
    })),
    ...schedules.map(({ what, body, expected }) => ({
      what: `a schedule that provisions with ${what}`,
      method: "PUT",
      path: "/v1/schedules/s",
      body: { function: "good", expression: "rate(1 hour)", provisioned: 1, ...body },
      expected,
    })),
    ...limits.map(({ what, body }) => ({
      what: `a deployment with a rate limit of ${what}`,
      method: "PUT",
      path: "/v1/functions/bad",
      body: { runtime: "command", command: ["true"], rateLimit: body },
      expected: invalid(/rateLimit/),
    })),
  ],
);
