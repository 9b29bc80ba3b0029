import assert from "node:assert/strict";
import { test } from "node:test";
import { endDocument } from "../../../../api/domain/events/end-document.ts";
import type { EventRow } from "../../../../store/event-row.ts";

const event: EventRow = {
  id: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
  kind: "invoke",
  functionName: "f",
  qualifier: "live",
  contentType: "application/json",
  body: Buffer.from("{}"),
  bodyBytes: 2,
  source: "test",
  traceId: null,
  isSampled: true,
  depth: 0,
  callback: null,
  acceptedAtUs: 1,
  state: "running",
  attempts: 3,
  throttles: 0,
  nextAtUs: 1,
  endedAtUs: null,
  deadCondition: null,
  errorCode: null,
  errorMessage: null,
};
const error = { code: "function_error", message: "it threw" };
const end = {
  state: "dead",
  atUs: 1,
  condition: "EventAgeExceeded",
  isCounted: false,
  error,
} as const;

const rows: [what: string, contentType: string | null, body: string | Uint8Array, json: string][] =
  [
    ["JSON as it was sent", "application/json", "12345678901234567890.10", "json"],
    ["JSON of a kind of its own", "application/cloudevents+json", '{"a":[]}', "json"],
    ["JSON without a content type", null, '{"a":1}', "json"],
    ["what says that it is JSON and is not", "application/json", "{", "utf8"],
    ["text that might be JSON", "text/plain", "17", "utf8"],
    ["bytes", "application/octet-stream", Buffer.from([0, 255]), "base64"],
    ["bytes that say they are JSON", "application/json", Buffer.from([0x22, 255, 0x22]), "base64"],
    ["what is large", "text/plain", "x".repeat(256 * 1024), "omitted"],
    ["what is large as JSON", "text/plain", "\0".repeat(64 * 1024), "omitted"],
  ];

for (const [what, contentType, body, encoding] of rows) {
  test(`a document has ${what} as ${encoding}`, () => {
    const bytes = Buffer.from(body);
    const text = endDocument({ event: { ...event, contentType, body: bytes }, end }, () => 1);
    const document = JSON.parse(text.toString()) as Record<string, unknown>;
    const { requestContext, requestPayload } = document;
    assert.equal((requestContext as { payloadEncoding: string }).payloadEncoding, encoding);
    if (encoding === "json") assert.ok(text.includes(`"requestPayload":${bytes.toString()},`));
    else if (encoding === "omitted") assert.equal(requestPayload, null);
    else assert.deepEqual(Buffer.from(String(requestPayload), encoding as "utf8"), bytes);
  });
}

test("a document of an event that never ran says so by what it does not say", () => {
  const document = JSON.parse(endDocument({ event, end }, () => 1).toString()) as object;
  assert.deepEqual(document, {
    version: "1.0",
    timestamp: "1970-01-01T00:00:00.000Z",
    requestContext: {
      requestId: event.id,
      functionArn: "arn:aws:lambda:us-east-1:000000000000:function:f:live",
      condition: "EventAgeExceeded",
      approximateInvokeCount: 3,
      payloadEncoding: "json",
    },
    requestPayload: {},
    responseContext: { payloadEncoding: "json" },
    responsePayload: { errorType: "function_error", errorMessage: "it threw" },
  });
});
