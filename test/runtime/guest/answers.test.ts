import assert from "node:assert/strict";
import test from "node:test";
import type { InvokeMessage } from "../../../runtime/guest/messages.ts";
import { errorOf, loadedGuest, type Source } from "./native-guest.ts";

/** Each handler evaluates the expression that is its event, so that one guest serves a whole table. */
const evaluators: Record<"node" | "python", Source> = {
  node: { "index.cjs": "exports.handler = async (event) => await eval(event);" },
  python: { "main.py": "def handler(event, context):\n    return eval(event)\n" },
};

const text = "text/plain; charset=utf-8";
const json = "application/json";
const binary = "application/octet-stream";

/** Expression, content type, answer. */
const answers: Record<"node" | "python", [string, string, string][]> = {
  node: [
    ["undefined", json, "null"],
    ["null", json, "null"],
    ["''", text, ""],
    ["'grüße'", text, "grüße"],
    ["42", json, "42"],
    ["NaN", json, "null"],
    ["({ a: [1, 'é', null], b: undefined })", json, '{"a":[1,"é",null]}'],
    ["new Date(0)", json, '"1970-01-01T00:00:00.000Z"'],
    ["Buffer.from('bytes')", binary, "bytes"],
    ["new Uint8Array([104, 105])", binary, "hi"],
    ["new Uint16Array([26984]).subarray(0, 1)", binary, "hi"],
    ["new TextEncoder().encode('hello').buffer", binary, "hello"],
    ["Promise.resolve('later')", text, "later"],
    ["new Response('<p>', { headers: { 'content-type': 'text/html' } })", "text/html", "<p>"],
    ["new Response(new Uint8Array([104, 105]))", binary, "hi"],
    ["Response.json({ a: 1 })", json, '{"a":1}'],
  ],
  python: [
    ["None", json, "null"],
    ["''", text, ""],
    ["'grüße'", text, "grüße"],
    ["42", json, "42"],
    ["{'a': [1, 'é', None, True]}", json, '{"a":[1,"é",null,true]}'],
    ["(1, 2)", json, "[1,2]"],
    ["b'bytes'", binary, "bytes"],
    ["bytearray(b'bytes')", binary, "bytes"],
    ["memoryview(b'bytes')[1:]", binary, "ytes"],
    ["__import__('asyncio').sleep(0, 'later')", text, "later"],
  ],
};

/** Expression, name of the error, part of its message. */
const failures: Record<"node" | "python", [string, string, RegExp][]> = {
  node: [
    ["10n", "TypeError", /BigInt/],
    ["{ const a = {}; a.a = a; a }", "TypeError", /circular/],
    ["(() => 1)", "TypeError", /function: JSON has no form/],
    ["Symbol('s')", "TypeError", /symbol/],
    ["Response.error()", "TypeError", /error Response/],
    ["new Response('', { headers: { a: 'b'.repeat(20000) } })", "TypeError", /too long/],
    ["Buffer.alloc(64 * 1024 * 1024 + 64 * 1024)", "AnswerTooLarge", /67174/],
    ["Promise.reject(new RangeError('no'))", "RangeError", /^no$/],
    ["{ throw 'a text' }", "Error", /^a text$/],
    ["{ throw null }", "Error", /^null$/],
    ["{ throw undefined }", "Error", /^undefined$/],
    ["{ throw { code: 7 } }", "Error", /^\{"code":7\}$/],
    ["{ throw Object.assign(new Error('m'), { name: 'Custom' }) }", "Custom", /^m$/],
    ["{ throw { get message() { throw 1 } } }", "Error", /unreadable/],
    ["{ throw new Proxy({}, { has() { throw 1 } }) }", "(unreadable)", /unreadable/],
    ["{ throw new Error('x'.repeat(1e6)) }", "Error", /^x{65536}… \[934464 more characters\]$/],
    ["{ throw new Error('\\u0001'.repeat(1e6)) }", "Error", /more characters\]$/],
    [
      "{ const e = new Error('m'); e.name = 'n'.repeat(1000); throw e }",
      `${"n".repeat(200)}… [800 more characters]`,
      /^m$/,
    ],
    ["(function deep() { deep() })()", "RangeError", /stack/],
  ],
  python: [
    ["1 / 0", "ZeroDivisionError", /^division by zero$/],
    ["{1, 2}", "TypeError", /set is not JSON serializable/],
    ["float('nan')", "ValueError", /not JSON compliant/],
    ["(lambda a: a.append(a) or a)([])", "ValueError", /Circular/],
    ["'\\ud800'", "UnicodeEncodeError", /surrogates/],
    ["bytes(64 * 1024 * 1024 + 64 * 1024)", "AnswerTooLarge", /67174/],
    [
      "exec(\"raise Exception('x' * 10**6)\")",
      "Exception",
      /^x{32768}… \[967232 more characters\]$/,
    ],
    ["exec(\"raise Exception('\\\\x01' * 10**6)\")", "Exception", /more characters\]$/],
    ["exec(\"raise Exception('\\\\U0001f600' * 10**6)\")", "Exception", /more characters\]$/],
    ["exec(\"raise Exception('\\\\ud800')\")", "Exception", /./],
    ["exec('raise GeneratorExit()')", "GeneratorExit", /^$/],
    ["exec('class E(BaseException):\\n  def __str__(self): 1/0\\nraise E')", "E", /unreadable/],
    ["exec('def deep(): deep()\\ndeep()', {})", "RecursionError", /recursion/],
  ],
};

for (const runtime of ["node", "python"] as const) {
  test(`${runtime}: what a handler returns travels in its own form`, async () => {
    await using guest = await loadedGuest(runtime, evaluators[runtime]);
    for (const [expression, contentType, body] of answers[runtime]) {
      const received = await guest.invoke(Buffer.from(expression), { contentType: "text/x" });
      assert.equal(received.message.type, "result", expression + JSON.stringify(received.message));
      assert.equal("contentType" in received.message && received.message.contentType, contentType);
      assert.equal(received.body.toString(), body, expression);
    }
  });

  test(`${runtime}: what a handler throws, or cannot return, is an error with bounded texts`, async () => {
    await using guest = await loadedGuest(runtime, evaluators[runtime]);
    for (const [expression, name, message] of failures[runtime]) {
      const received = await guest.invoke(Buffer.from(expression), { contentType: "text/x" });
      const error = errorOf(received.message);
      assert.equal(error.name, name, expression);
      assert.match(error.message, message, expression);
    }
    const { message } = await guest.invoke(Buffer.from("'fine'"), { contentType: "text/x" });
    assert.equal(message.type, "result");
  });
}

/** Content type, event bytes, what the handler sees (as the language's own text of it). */
const events: [Partial<InvokeMessage>, string | undefined, string, string][] = [
  [{}, undefined, "object {}", "dict {}"],
  [{ contentType: "application/json" }, "", "object {}", "dict {}"],
  [{}, '{"a":1}', 'object {"a":1}', "dict {'a': 1}"],
  [{ contentType: "Application/JSON; charset=utf-8" }, "[1]", "object [1]", "list [1]"],
  [{ contentType: "application/cloudevents+json" }, "1", "number 1", "int 1"],
  [{ contentType: "application/json" }, '"grüße"', 'string "grüße"', "str 'grüße'"],
  [{ contentType: "text/csv" }, "a,b", 'string "a,b"', "str 'a,b'"],
  [{ contentType: "text/plain" }, undefined, 'string ""', "str ''"],
  [{ contentType: "image/png" }, "\u0001", "bytes 01", "bytes b'\\x01'"],
  [{ contentType: "application/octet-stream" }, undefined, "bytes ", "bytes b''"],
];
const mirrors = {
  node: {
    "index.mjs": `export const handler = (event) => event instanceof Uint8Array
      ? "bytes " + event.toString("hex") : typeof event + " " + JSON.stringify(event);`,
  },
  python: {
    "main.py": "def handler(event, context):\n    return f'{type(event).__name__} {event!r}'\n",
  },
};

for (const runtime of ["node", "python"] as const) {
  test(`${runtime}: the event is what its content type says`, async () => {
    await using guest = await loadedGuest(runtime, mirrors[runtime]);
    for (const [options, event, inNode, inPython] of events) {
      const bytes = event === undefined ? undefined : Buffer.from(event);
      const received = await guest.invoke(bytes, options);
      assert.equal(received.body.toString(), runtime === "node" ? inNode : inPython);
    }
  });

  test(`${runtime}: an event that is not the JSON that it claims to be is an error`, async () => {
    await using guest = await loadedGuest(runtime, mirrors[runtime]);
    const error = errorOf((await guest.invoke(Buffer.from("{"))).message);
    assert.equal(error.name, "InvalidEvent");
    assert.match(error.message, /Cannot read the event as JSON: ./);
    const bytes = Buffer.from([0xff]);
    assert.equal(errorOf((await guest.invoke(bytes)).message).name, "InvalidEvent");
  });

  test(`${runtime}: an event and an answer of 20 MB pass unchanged`, async () => {
    const source = {
      "index.mjs": "export default (event) => event;",
      "main.py": "def handler(event, context):\n    return event\n",
    };
    await using guest = await loadedGuest(runtime, source);
    const bytes = Buffer.alloc(20_000_000, "0123456789abcdef!");
    const { body } = await guest.invoke(bytes, { contentType: "application/octet-stream" });
    assert.ok(body.equals(bytes));
  });
}
