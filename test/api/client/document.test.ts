import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import { Client } from "../../../api/client/client.ts";
import type { Problem } from "../../../api/schema/problem.ts";
import { poll } from "../../../runtime/deadline.ts";
import { tarOf } from "../../runtime/image/archives.ts";
import { ApiDocument, type Media, type Operation } from "../../support/api-document.ts";
import { eventIn } from "../../support/events.ts";
import { problemOf } from "../../support/problem.ts";
import { type Exchange, startRecordingProxy } from "../../support/recording-proxy.ts";
import { startTestServer } from "../../support/server.ts";
import { refused, sandboxStory } from "./sandbox-story.ts";

const server = await startTestServer();
const proxy = await startRecordingProxy(server.url);
after(async () => {
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
const client = new Client({ url: proxy.url });
const document = new ApiDocument(await (await server.fetch("/openapi.json")).json());

const runtime = "node";
const code = { source: "export const handler = (event) => event;" };
const command = ["sh", "-c", "echo begun; sleep 600"];
const failing = { source: 'export const handler = () => { throw new Error("broken"); };' };
const image = `document-${process.pid}`;
const nobody = "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f";
const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/** Each method with all that it can send, in an order in which there is what it asks for. */
const story: Record<keyof Client, () => unknown> = {
  metrics: async () => await client.metrics(),
  setSecret: async () => await client.setSecret("password", "correct horse"),
  secrets: async () => await client.secrets({ limit: 1, after: "a" }),
  putWebhook: async () => {
    const url = "https://example.org/sandboxes";
    await client.putWebhook("billing", { url, secret: "password", events: ["ended"] });
    await client.putWebhook("billing", { url, secret: "password" });
    await refused(client.putWebhook("other", { url, secret: "nobody" }));
  },
  webhooks: async () => await client.webhooks({ limit: 1, after: "a" }),
  webhook: async () => {
    await client.webhook("billing");
    await refused(client.webhook("nobody"));
  },
  webhookDeliveries: async () => {
    await client.webhookDeliveries("billing", { limit: 1, before: nobody });
  },
  removeWebhook: async () => {
    await client.removeWebhook("billing");
    await refused(client.removeWebhook("billing"));
  },
  createKey: async () => {
    const limits = { maxSandboxes: 1, requestRate: { perSecond: 5, burst: 10 } };
    await client.createKey({ name: "ci", scopes: ["deploy"], expiresInMs: 60_000, limits });
    await client.createKey({ name: "app", scopes: ["invoke", "sandbox"] });
  },
  keys: async () => {
    const before = (await client.keys({ limit: 1 })).next;
    await client.keys({ limit: 1, before });
  },
  key: async () => await client.key((await client.keys()).items[0]?.id ?? ""),
  revokeKey: async () => await client.revokeKey((await client.keys()).items[0]?.id ?? ""),
  deploy: async () => {
    const secrets = { PASSWORD: "password" };
    const http = { public: true, cors: { origins: ["https://example.org"] } };
    const spec = { runtime, code, secrets, http, env: { A: "b" } } as const;
    const { version } = await client.deploy("echo", spec, { isNew: true, check: false });
    await client.deploy("echo", { runtime, code }, { ifMatch: version.revisionId });
    await client.deploy("failing", { runtime, code: failing, async: { maxAttempts: 1 } });
    await client.deploy("sleeper", { runtime: "command", command });
    await refused(client.deploy("echo", { runtime, code: { source: "oops(" } }));
  },
  functions: async () => await client.functions({ limit: 1, after: "a" }),
  getFunction: async () => {
    await client.getFunction("echo", 1);
    await refused(client.getFunction("nobody"));
  },
  versions: async () => await client.versions("echo", { limit: 1, before: 2 }),
  createAlias: async () => await client.createAlias("echo", { name: "live", version: 1 }),
  putAlias: async () => {
    const target = { version: 2, second: { version: 1, weight: 0.1 }, description: "on trial" };
    const { revisionId } = await client.putAlias("echo", "next", target, { isNew: true });
    await client.putAlias("echo", "next", { version: 2 }, { ifMatch: revisionId });
    await refused(client.putAlias("echo", "next", { version: 2 }, { ifMatch: revisionId }));
  },
  aliases: async () => await client.aliases("echo", { limit: 1, after: "a" }),
  getAlias: async () => await client.getAlias("echo", "live"),
  removeVersion: async () => {
    await refused(client.removeVersion("echo", 1));
    await client.putAlias("echo", "live", { version: 2 });
    await client.removeVersion("echo", 1);
  },
  setConcurrency: async () => {
    await client.setConcurrency("echo", { reserved: 1, provisioned: 0 });
    await client.getFunction("echo");
    await refused(client.setConcurrency("echo", { reserved: 10_000 }));
  },
  concurrency: async () => await client.concurrency("echo"),
  removeConcurrency: async () => await client.removeConcurrency("echo"),
  functionUrl: () => client.functionUrl("echo", "live"),
  invoke: async () => {
    await client.invoke("echo", { qualifier: "live", log: "tail", traceparent });
    await client.invoke("echo", { idempotencyKey: "once" });
    await refused(client.invoke("failing"));
  },
  invokeStream: async () => {
    const { body } = await client.invokeStream("echo:live");
    await body.cancel();
  },
  invokeBatch: async () => {
    await client.invokeBatch("echo", [1, { a: "b" }], { qualifier: "live", traceparent });
    await client.invokeBatch("failing", [1]);
  },
  checkInvoke: async () => await client.checkInvoke("echo", { qualifier: "live" }),
  invokeAsync: async () => {
    const { eventId } = await client.invokeAsync("echo", { qualifier: "live" });
    const callback = { url: "https://example.org/ended", secret: "nobody" };
    await refused(client.invokeAsync("echo", { callback }));
    await eventIn(client, eventId, "succeeded");
    for (const _ of [1, 2, 3]) {
      await eventIn(client, (await client.invokeAsync("failing")).eventId, "dead");
    }
  },
  events: async () => {
    const before = (await client.events({ limit: 1 })).next;
    await client.events({ function: "failing", state: "dead", limit: 1, before });
  },
  event: async () => await client.event((await client.events()).items[0]?.id ?? ""),
  cancelEvent: async () => await refused(client.cancelEvent(nobody)),
  deadLetters: async () => {
    const before = (await client.deadLetters({ limit: 1 })).next;
    await client.deadLetters({ function: "failing", limit: 1, before });
  },
  deadLetter: async () => await client.deadLetter(await deadLetter()),
  redrive: async () => {
    const id = await deadLetter();
    await client.redrive(id);
    await eventIn(client, id, "dead");
  },
  removeDeadLetter: async () => await client.removeDeadLetter(await deadLetter()),
  redriveAll: async () => await client.redriveAll("failing"),
  purgeDeadLetters: async () => await client.purgeDeadLetters("failing"),
  execute: async () => {
    await client.execute({ runtime: "bash", code: { source: "cat; exit 3" }, stdin: "in" });
    await refused(client.execute({ runtime: "bash" }));
  },
  streamExecute: async () => {
    const types: string[] = [];
    const request = { runtime: "bash", code: { source: "echo a" } } as const;
    for await (const { type } of client.streamExecute(request)) types.push(type);
    assert.deepEqual(types, ["started", "output", "end"]);
  },
  followFunction: async () => {
    const follower = client.followFunction("sleeper", { onOpen: () => void sleep() });
    await follower.next();
    await follower.return(undefined);
  },
  followInvocation: async () => {
    const id = await sleep();
    const cancel = (): void => void client.cancel(id);
    let last: string | undefined;
    for await (const { type } of client.followInvocation(id, { onOpen: cancel })) last = type;
    assert.equal(last, "end");
  },
  invocations: async () => {
    const before = (await client.invocations({ limit: 1 })).next;
    const since = "2026-01-31T12:00:00Z";
    const which = {
      function: "echo",
      qualifier: "live",
      status: "succeeded",
      kind: "invoke",
    } as const;
    const when = { since, until: String(Date.now()), minDurationMs: 0 };
    const traceId = traceparent.split("-")[1];
    await client.invocations({ ...which, ...when, traceId, reason: "exited", limit: 1, before });
    await client.invocations({ limit: 200 });
    await refused(client.invocations({ limit: 0 }));
  },
  invocation: async () => {
    for (const { id } of (await client.invocations()).items) await client.invocation(id);
  },
  cancel: async () => await client.cancel(await sleep()),
  statistics: async () => await client.statistics("echo", 60_000),
  putSchedule: async () => {
    const spec = { function: "echo", qualifier: "live", timeZone: "Europe/Berlin" };
    const event = { a: ["b"] };
    const expression = "30 2 * * *";
    const { revisionId } = await client.putSchedule(
      "nightly",
      { ...spec, expression, event },
      { isNew: true },
    );
    await client.putSchedule("nightly", { ...spec, expression }, { ifMatch: revisionId });
    await refused(client.putSchedule("nightly", { ...spec, expression }, { isNew: true }));
    await refused(client.removeAlias("echo", "live"));
    await client.putSchedule("up", {
      function: "echo",
      expression: "rate(1 hour)",
      provisioned: 0,
    });
    await refused(client.runSchedule("up"));
    await client.removeSchedule("up");
  },
  schedules: async () => await client.schedules({ function: "echo", limit: 1, after: "a" }),
  getSchedule: async () => await client.getSchedule("nightly"),
  pauseSchedule: async () => await client.pauseSchedule("nightly"),
  resumeSchedule: async () => await client.resumeSchedule("nightly"),
  runSchedule: async () => {
    await eventIn(client, (await client.runSchedule("nightly")).eventId, "succeeded");
    await client.getSchedule("nightly");
  },
  removeSchedule: async () => {
    const { revisionId } = await client.getSchedule("nightly");
    await client.removeSchedule("nightly", { ifMatch: revisionId });
  },
  removeAlias: async () => {
    const { revisionId } = await client.getAlias("echo", "next");
    await client.removeAlias("echo", "next", { ifMatch: revisionId });
  },
  removeFunction: async () => {
    const { revisionId } = await client.getFunction("echo");
    await client.removeFunction("echo", { ifMatch: revisionId });
  },
  removeSecret: async () => await client.removeSecret("password"),
  addImage: async () => {
    await client.addImage(image, chunksOf(tarOf([{ path: "a", content: "a" }])));
    await refused(client.addImage(image, chunksOf(Buffer.alloc(5000, "junk"))));
  },
  images: async () => {
    await client.images({ limit: 1, after: "a" });
    await refused(client.images({ limit: 0 }));
  },
  getImage: async () => await client.getImage(image),
  removeImage: async () => await client.removeImage(image),
  ...sandboxStory(client),
};

for (const method of Object.values(story)) await method();

suite("the client and the OpenAPI document", () => {
  test("the story calls every method of the client", () => {
    const methods: string[] = [];
    for (let at = Client.prototype as object; at !== Object.prototype; at = parentOf(at)) {
      methods.push(...Object.getOwnPropertyNames(at).filter((name) => name !== "constructor"));
    }
    assert.deepEqual(Object.keys(story).toSorted(), methods.toSorted());
  });

  test("every operation below /v1 is one that the client has, and the other way round", () => {
    const sent = new Set(proxy.exchanges.map(operationOf).filter(isMeant));
    const described = [...document.operations.keys()].filter(isMeant);
    assert.deepEqual([...sent].toSorted(), described.toSorted());
  });

  for (const [name, { parameters = [] }] of document.operations) {
    if (!name.includes(" /v1/") || name.includes("/ports/")) continue;
    test(`${name}: the client sends the parameters that it is documented with`, () => {
      const sent = proxy.exchanges.filter((exchange) => operationOf(exchange) === name);
      const queries = new Set(sent.flatMap(({ url }) => [...url.searchParams.keys()]));
      const own = new Set(sent.flatMap(({ requestHeaders }) => ownHeaders(requestHeaders)));
      assert.deepEqual([...queries].toSorted(), namesOf(parameters, "query"));
      assert.deepEqual([...own].toSorted(), namesOf(parameters, "header"));
    });
  }

  test("every request and every answer is as its operation has it", () => {
    const breaches = proxy.exchanges.flatMap((exchange) => {
      const name = operationOf(exchange);
      const operation = document.operations.get(name);
      assert.ok(operation, name);
      return [...requestBreaches(exchange, operation), ...answerBreaches(exchange, operation)].map(
        (breach) => `${name} ${exchange.status}: ${breach}`,
      );
    });
    assert.deepEqual([...new Set(breaches)], []);
  });
});

function operationOf({ method, url }: Exchange): string {
  return document.operationOf(method, url.pathname) ?? `${method} ${url.pathname}`;
}

function requestBreaches({ requestHeaders, requestBody }: Exchange, one: Operation): string[] {
  const content = one.requestBody?.content;
  if (content === undefined) return requestBody.length === 0 ? [] : ["takes no body"];
  const type = requestHeaders.get("content-type") ?? "";
  const media = content[type] ?? content["*/*"];
  if (media === undefined) return [`takes no ${type}`];
  return type === "application/json"
    ? document.breaches(media, JSON.parse(requestBody.toString()))
    : [];
}

function answerBreaches({ status, headers, chunks }: Exchange, { responses }: Operation): string[] {
  const response = responses[status] ?? responses[`${Math.floor(status / 100)}XX`];
  if (response === undefined) return ["has no such answer"];
  const type = headers.get("content-type")?.split(";")[0] ?? "";
  const text = Buffer.concat(chunks).toString();
  if (response.content === undefined) return text === "" ? [] : ["answers with no body"];
  const media = response.content[type] ?? response.content["*/*"];
  if (media === undefined) return [`does not answer with ${type}`];
  const values = valuesIn(type, text);
  const unnamed = type === "application/problem+json" ? undocumented(media, values) : [];
  return [...unnamed, ...values.flatMap((value) => document.breaches(media, value))];
}

/** The codes that an operation is not documented with. */
function undocumented({ examples = {} }: Media, problems: readonly unknown[]): string[] {
  const codes = problems.map((problem) => (problem as Problem).code);
  return codes.filter((each) => !(each in examples)).map((each) => `has no problem ${each}`);
}

function valuesIn(type: string, text: string): unknown[] {
  if (type === "application/x-ndjson") return text.trim().split("\n").map(parsed);
  if (type === "text/event-stream") {
    return [...text.matchAll(/^data: (.*)$/gm)].map(([, line = ""]) => parsed(line));
  }
  return /[/+]json$/.test(type) ? [parsed(text)] : [];
}

function parsed(text: string): unknown {
  return JSON.parse(text);
}

/** What HTTP itself has a client send is no parameter. */
function ownHeaders(headers: Headers): string[] {
  return [...headers.keys()].filter((name) => !["content-type"].includes(name));
}

function namesOf(parameters: Operation["parameters"], place: string): string[] {
  return (parameters ?? [])
    .filter((parameter) => parameter.in === place)
    .map(({ name }) => (place === "header" ? name.toLowerCase() : name))
    .toSorted();
}

/** What a server inside a sandbox is asked in is its own business. */
function isMeant(name: string): boolean {
  return name.includes(" /v1/") && !name.includes("/ports/");
}

function parentOf(prototype: object): object {
  return Object.getPrototypeOf(prototype) as object;
}

async function deadLetter(): Promise<string> {
  return (await client.deadLetters()).items[0]?.id ?? "";
}

/** Begins an invocation that goes on until it is cancelled. */
async function sleep(): Promise<string> {
  const known = await running();
  problemOf(client.invoke("sleeper")).catch(() => {});
  const probe = async (): Promise<string | undefined> =>
    (await running()).find((id) => !known.includes(id));
  return await poll("see it run", probe, { timeoutMs: 30_000 });
}

async function running(): Promise<string[]> {
  return (await client.invocations({ status: "running" })).items.map(({ id }) => id);
}

async function* chunksOf(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content.subarray(0, 700);
  yield content.subarray(700);
}
