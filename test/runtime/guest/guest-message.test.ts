import assert from "node:assert/strict";
import test from "node:test";
import { isRunletError } from "../../../runtime/errors.ts";
import { parseGuestMessage } from "../../../runtime/guest/guest-message.ts";

const error = { name: "E", message: "m" };
const result = { type: "result", id: "a", contentType: "text/plain" };

const accepted: object[] = [
  { type: "hello", protocol: 1, runtime: "node", runtimeVersion: "24.0.0" },
  { type: "hello", protocol: 1, runtime: "python", runtimeVersion: "3.11.2" },
  { type: "warmed" },
  { type: "loaded", loadUs: 0 },
  { type: "load_error", error },
  { type: "load_error", error: { ...error, stack: "s" } },
  result,
  {
    ...result,
    status: 204,
    headers: [
      ["X-Some", "é\t"],
      ["set-cookie", ""],
    ],
  },
  { ...result, type: "start", status: 201 },
  { type: "end", id: "a" },
  { type: "error", id: "a", error },
  { type: "credit", id: "a", bytes: 1 },
  { type: "credit", id: "a", bytes: 262_144 },
  { type: "whole", id: "a" },
];
for (const message of accepted) {
  test(`${JSON.stringify(message)} is a message`, () => {
    assert.deepEqual(parseGuestMessage(message, 0), message);
  });
}

const refused: unknown[] = [
  undefined,
  null,
  [],
  "hello",
  {},
  { type: "chunk", id: "a" },
  { type: "hello", protocol: 2, runtime: "node", runtimeVersion: "1" },
  { type: "hello", protocol: 1, runtime: "perl", runtimeVersion: "1" },
  { type: "loaded" },
  { type: "loaded", loadUs: -1 },
  { type: "loaded", loadUs: 0.5 },
  { type: "load_error", error: "no" },
  { type: "load_error", error: { name: 1, message: "m" } },
  { type: "error", id: "a", error: { ...error, message: "m".repeat(70_000) } },
  { type: "error", id: "", error },
  { type: "error", error },
  { ...result, id: "x".repeat(129) },
  { ...result, type: "start", status: 204 },
  { type: "end" },
  { type: "credit", id: "a" },
  { type: "credit", id: "a", bytes: 0 },
  { type: "credit", id: "a", bytes: -1 },
  { type: "credit", id: "a", bytes: 0.5 },
  { type: "credit", id: "a", bytes: "1" },
  { type: "credit", id: "a", bytes: 262_145 },
  { type: "whole" },
  { ...result, contentType: "" },
  { ...result, contentType: "text/plain\r\nset-cookie: a" },
  { ...result, status: 99 },
  { ...result, status: 101 },
  { ...result, status: 600 },
  { ...result, status: "200" },
  { ...result, headers: { a: "b" } },
  { ...result, headers: [["a"]] },
  { ...result, headers: [["a b", "c"]] },
  { ...result, headers: [["a", "b\nc"]] },
  { ...result, headers: [["a", "b\0c"]] },
  { ...result, headers: [["a", "日"]] },
  { ...result, headers: [["", "b"]] },
  { ...result, headers: Array.from({ length: 513 }, () => ["a", "b"]) },
];
for (const message of refused) {
  test(`${JSON.stringify(message)?.slice(0, 100)} is a protocol violation`, () => {
    assert.throws(
      () => parseGuestMessage(message, 0),
      (thrown) => isRunletError(thrown, "protocol_violation"),
    );
  });
}

test("a result has a body, and most have none", () => {
  assert.deepEqual(parseGuestMessage(result, 10), result);
  assert.throws(
    () => parseGuestMessage({ type: "loaded", loadUs: 1 }, 1),
    (thrown) => isRunletError(thrown, "protocol_violation"),
  );
});

test("a chunk has a body that is neither empty nor too long", () => {
  const chunk = { type: "chunk", id: "a" };
  for (const bytes of [1, 65_536]) assert.deepEqual(parseGuestMessage(chunk, bytes), chunk);
  for (const bytes of [0, 65_537]) {
    assert.throws(
      () => parseGuestMessage(chunk, bytes),
      (thrown) => isRunletError(thrown, "protocol_violation"),
    );
  }
});

test("what is not of the protocol is left out", () => {
  const message = JSON.parse(`{"type":"loaded","loadUs":1,"__proto__":{"a":1},"b":2}`) as unknown;
  assert.deepEqual(parseGuestMessage(message, 0), { type: "loaded", loadUs: 1 });
});
