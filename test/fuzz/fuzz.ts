import assert from "node:assert/strict";
import * as fc from "fast-check";
import { Client } from "undici";
import { ApiDocument, type Json, type Operation } from "../support/api-document.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { type Described, requestsFor, type Sent } from "./requests.ts";

/** No operation may let its caller wait for longer, but where it streams or runs code. */
const answerWithinMs = 20_000;
/** What may go wrong in the code that a caller has run, or for want of what the host lacks. */
const guestFailures =
  /^(function_error|function_timeout|port_failed|protocol_violation|unavailable)$/;

/** A server whose operations are sent what fits the document and what does not. */
export interface Fuzzed extends AsyncDisposable {
  readonly operations: readonly string[];
  /** Sends so many requests to an operation. @throws what went wrong with the smallest such request. */
  fuzz(operation: string, runs: number, seed?: number): Promise<void>;
  /** Fails where the server is not as well as it was. */
  unharmed(): Promise<void>;
}

/** Starts a server with one of everything that a request may name. */
export async function startFuzzed(): Promise<Fuzzed> {
  await using stack = new AsyncDisposableStack();
  const overrides = { maxSandboxes: 2, maxSnapshots: 2, maxConcurrency: 4 };
  const server = stack.use(await startTestServer({ overrides }));
  const document = (await (await server.fetch("/openapi.json")).json()) as Document;
  const known = await namesIn(server);
  const api = new ApiDocument(document);
  const all = new Map(describedIn(document).map((each) => [`${each.method} ${each.path}`, each]));
  const { schemas } = document.components;
  const client = new Client(server.url, { headersTimeout: answerWithinMs });
  stack.defer(async () => await client.destroy());
  const owned = stack.move();
  return {
    operations: [...all.keys()],
    async fuzz(operation, numRuns, seed) {
      const described = all.get(operation);
      assert.ok(described);
      const property = fc.asyncProperty(requestsFor(described, schemas, known), async (sent) => {
        await send(client, api, operation, sent);
      });
      const parameters = { numRuns, endOnFailure: true, interruptAfterTimeLimit: 120_000 };
      await fc.assert(property, seed === undefined ? parameters : { ...parameters, seed });
    },
    async unharmed() {
      assert.equal((await server.fetch("/healthz")).status, 200);
      await server.client.deploy("last", {
        runtime: "node",
        code: { source: "export const handler = () => 'well';" },
      });
      const { body } = await server.client.invoke("last");
      assert.equal(Buffer.from(body).toString(), "well");
    },
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
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
async function namesIn({ client }: TestServer): Promise<string[]> {
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

async function send(
  client: Client,
  api: ApiDocument,
  operation: string,
  { method, path, headers, body }: Sent,
): Promise<void> {
  const response = await client.request({
    method,
    path,
    headers,
    ...(body !== undefined && { body: body.toWellFormed() }),
  });
  const type = String(response.headers["content-type"] ?? "").split(";")[0] ?? "";
  if (type === "text/event-stream") {
    response.body.on("error", () => undefined).destroy();
    return;
  }
  const text = await response.body.text();
  // What a function answers is its own.
  const isOfFunction =
    path.startsWith("/f/") || operation === "POST /v1/functions/{name}/invocations";
  if (isOfFunction && type !== "application/problem+json") return;
  const answer = { status: response.statusCode, type, text };
  assertAsDescribed(answer, operation, api.operations.get(operation)?.responses ?? {}, api);
}

/** The status is one of those that the document has, the body is as it is there, and nothing has broken. */
function assertAsDescribed(
  { status, type, text }: { status: number; type: string; text: string },
  operation: string,
  responses: Operation["responses"],
  api: ApiDocument,
): void {
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
