import assert from "node:assert/strict";
import { test } from "node:test";
import { eventType } from "../../../api/domain/event.ts";

const form = "application/x-www-form-urlencoded";

const taken: { type: string | undefined; body: string; as: string | undefined }[] = [
  { type: "application/json", body: '{"a":1}', as: "application/json" },
  { type: "Application/JSON; charset=utf-8", body: "1", as: "Application/JSON; charset=utf-8" },
  { type: "application/cloudevents+json", body: "[]", as: "application/cloudevents+json" },
  { type: undefined, body: "{}", as: undefined },
  { type: "application/json", body: "", as: "application/json" },
  { type: "text/plain", body: "{not", as: "text/plain" },
  { type: "application/octet-stream", body: "\u0000", as: "application/octet-stream" },
  { type: form, body: ' {"a":1}', as: "application/json" },
  { type: form, body: "[1]", as: "application/json" },
  { type: form, body: "a=1", as: form },
  { type: form, body: "{a=1", as: form },
  { type: form, body: "1", as: form },
];

for (const { type, body, as } of taken) {
  test(`an event ${JSON.stringify(body)} that comes as ${type} is read as ${as}`, () => {
    assert.equal(eventType(type, Buffer.from(body)), as);
  });
}

for (const type of ["application/json", "application/problem+json", undefined]) {
  test(`an event that comes as ${type} and is no JSON is refused`, () => {
    assert.throws(() => eventType(type, Buffer.from("{not")), {
      code: "invalid_argument",
      message: /Cannot take the event: it is not JSON/,
    });
  });
}
