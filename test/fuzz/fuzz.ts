import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { Client } from "undici";
import { Client as RunletClient } from "../../api/client/client.ts";
import type { Scope } from "../../api/schema/key.ts";
import { ApiDocument, type Json, neededBy, type Operation } from "../support/api-document.ts";
import { startTestServer } from "../support/server.ts";
import { type Described, requestsFor, type Sent } from "./requests.ts";

/** No operation may let its caller wait for longer, but where it streams or runs code. */
const answerWithinMs = 20_000;
/** What may go wrong in the code that a caller has run, or for want of what the host lacks. */
const guestFailures =
  /^(function_error|function_timeout|port_failed|protocol_violation|unavailable)$/;

/** A server whose operations are sent what fits the document and what does not. */
export interface Fuzzed extends AsyncDisposable {
  readonly operations: readonly string[];
  /**
   * Sends so many requests to an operation with a key for all, and a third as many without one and with a key of
   * each scope. @throws what went wrong with the smallest such request.
   */
  fuzz(operation: string, runs: number, seed?: number): Promise<void>;
  /** Fails where the server is not as well as it was. */
  unharmed(): Promise<void>;
}

/** Starts a server that asks for keys, with one of everything that a request may name. */
export async function startFuzzed(): Promise<Fuzzed> {
  await using stack = new AsyncDisposableStack();
  const overrides = {
    auth: "required",
    maxSandboxes: 2,
    maxSnapshots: 2,
    maxConcurrency: 4,
  } as const;
  const server = stack.use(await startTestServer({ overrides }));
  const first = readFileSync(join(server.config.dataDir, "admin.key"), "utf8").trim();
  const admin = new RunletClient({ url: server.url, apiKey: first });
  const document = (await (await server.fetch("/openapi.json")).json()) as Document;
  const known = await namesIn(admin);
  const api = new ApiDocument(document);
  const callers = await callersOf(api, admin, first);
  const described = new Map(
    describedIn(document).map((each) => [`${each.method} ${each.path}`, each]),
  );
  const { schemas } = document.components;
  const client = new Client(server.url, { headersTimeout: answerWithinMs });
  stack.defer(async () => await client.destroy());
  const owned = stack.move();
  return {
    operations: [...described.keys()].toSorted(
      (a, b) => Number(isRemoval(a)) - Number(isRemoval(b)),
    ),
    async fuzz(operation, runs, seed) {
      const target = described.get(operation);
      assert.ok(target);
      for (const caller of callers) {
        const property = fc.asyncProperty(requestsFor(target, schemas, known), async (sent) => {
          await send({ client, api, caller }, operation, sent);
        });
        const numRuns = caller.scope === "admin" ? runs : Math.ceil(runs / 3);
        const parameters = { numRuns, endOnFailure: true, interruptAfterTimeLimit: 120_000 };
        await fc.assert(property, seed === undefined ? parameters : { ...parameters, seed });
      }
    },
    async unharmed() {
      assert.equal((await server.fetch("/healthz")).status, 200);
      await admin.deploy("last", {
        runtime: "node",
        code: { source: "export const handler = () => 'well';" },
      });
      const { body } = await admin.invoke("last");
      assert.equal(Buffer.from(body).toString(), "well");
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/** Who sends requests: the holder of a key with one scope, or of none. */
interface FuzzCaller {
  readonly scope: Scope | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** One without a key, and one for each scope that the document knows. */
async function callersOf(
  api: ApiDocument,
  admin: RunletClient,
  first: string,
): Promise<FuzzCaller[]> {
  const scopes = new Set([...api.operations.values()].flatMap(neededBy));
  const callers: FuzzCaller[] = [{ scope: undefined, headers: {} }];
  for (const scope of scopes as ReadonlySet<Scope>) {
    const key =
      scope === "admin" ? first : (await admin.createKey({ name: scope, scopes: [scope] })).key;
    callers.push({ scope, headers: { authorization: `Bearer ${key}` } });
  }
  return callers;
}

/** Whether there is less to ask for after it. */
function isRemoval(operation: string): boolean {
  return operation.startsWith("DELETE ");
}

interface Document {
  readonly components: { readonly schemas: Readonly<Record<string, Json>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>;
}

function describedIn({ paths }: Document): Described[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      parameters: (operation["parameters"] ?? []) as Described["parameters"],
      content: ((operation["requestBody"] as Json | undefined)?.["content"] ??
        {}) as Described["content"],
    })),
  );
}

/** Makes one of each, and answers what they are called. */
async function namesIn(client: RunletClient): Promise<string[]> {
  await client.deploy("good", {
    runtime: "node",
    code: { source: "export const handler = (event) => event;" },
    timeoutMs: 2_000,
    http: { public: true },
  });
  const { invocationId } = await client.invoke("good");
  await client.setSecret("good", "a value of a secret");
  const { id } = await client.createSandbox({ memoryBytes: 128 * 1024 * 1024 });
  const { id: command } = await client.startCommand(id, { command: "sleep 600" });
  return ["good", invocationId, id, command, "1"];
}

interface Sending {
  readonly client: Client;
  readonly api: ApiDocument;
  readonly caller: FuzzCaller;
}

async function send(
  { client, api, caller }: Sending,
  operation: string,
  sent: Sent,
): Promise<void> {
  const answer = await answerTo(client, {
    ...sent,
    headers: { ...sent.headers, ...caller.headers },
  });
  // With a way up in it, a path is that of another operation, or of none; below a function's URL all are of one.
  const { pathname } = new URL(sent.path, "http://x");
  const isAtUrl = /^\/f\/[^/]+(?:\/|$)/.test(pathname);
  const meant = api.operationOf(sent.method, pathname) ?? (isAtUrl ? operation : undefined);
  const refusal = refusalOf(caller, meant === undefined ? undefined : api.operations.get(meant));
  if (refusal !== undefined) {
    const why = `with ${caller.scope === undefined ? "no key" : `the scope ${caller.scope}`}`;
    assert.equal(answer.status, refusal, `${why}: ${answer.text}`);
    return;
  }
  // What a function answers is its own.
  const isOfFunction = isAtUrl || operation === "POST /v1/functions/{name}/invocations";
  if (isOfFunction && answer.type !== "application/problem+json") return;
  assertAsDescribed(answer, meant ?? operation, api);
}

interface Answered {
  readonly status: number;
  readonly type: string;
  /** Nothing of what streams. */
  readonly text: string;
}

async function answerTo(client: Client, { method, path, headers, body }: Sent): Promise<Answered> {
  const response = await client.request({
    method,
    path,
    headers,
    ...(body !== undefined && { body: body.toWellFormed() }),
  });
  const status = response.statusCode;
  const type = String(response.headers["content-type"] ?? "").split(";")[0] ?? "";
  if (type !== "text/event-stream") return { status, type, text: await response.body.text() };
  response.body.on("error", () => undefined).destroy();
  return { status, type, text: "" };
}

/** The status that a caller is refused with; undefined where the operation is open to it, or there is none. */
function refusalOf({ scope }: FuzzCaller, operation: Operation | undefined): number | undefined {
  if (operation === undefined) return scope === undefined ? 401 : undefined;
  const needed = neededBy(operation);
  if (needed.length === 0) return undefined;
  if (scope === undefined) return 401;
  return needed.includes(scope) ? undefined : 403;
}

/** The status is one of those that the document has, the body is as it is there, and nothing has broken. */
function assertAsDescribed(
  { status, type, text }: Answered,
  operation: string,
  api: ApiDocument,
): void {
  const responses = api.operations.get(operation)?.responses ?? {};
  const isJson = /[/+]json$/.test(type) && text !== "";
  const answer = isJson ? (JSON.parse(text) as Json) : undefined;
  const isHead = operation.startsWith("HEAD ");
  // A program that is not there is found missing by runsc alone, when it starts it.
  const isMissing = /finding executable/.test(String(answer?.["detail"]));
  const isFailure = isMissing || guestFailures.test(String(answer?.["code"]));
  const isOfGuest = isHead ? status === 502 : isFailure;
  assert.ok(status < 500 || isOfGuest, `${status}: ${text}`);
  // Without its parameter a path is another one, or none.
  if (status === 404) return;
  assert.ok(String(status) in responses, `${status} is no status of ${operation}: ${text}`);
  if (answer === undefined) return;
  const breaches = api.breaches(responses[String(status)]?.content?.[type], answer);
  assert.deepEqual(breaches, [], text);
}
