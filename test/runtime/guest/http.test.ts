import assert from "node:assert/strict";
import test from "node:test";
import type { InvokeRequest } from "../../../runtime/guest/messages.ts";
import { errorOf, loadedGuest, type NativeGuest, type Source } from "./native-guest.ts";

const runtimes = ["node", "python"] as const;

/** Answers the event that it gets. */
const echoes: Record<(typeof runtimes)[number], Source> = {
  node: {
    "index.mjs":
      "export const handler = (event) => ({ statusCode: 200, body: JSON.stringify(event) });",
  },
  python: {
    "main.py":
      "import json\ndef handler(event, context):\n    return {'statusCode': 200, 'body': json.dumps(event)}\n",
  },
};

/** Evaluates the body of the request, so that one guest serves a whole table. */
const evaluators: Record<(typeof runtimes)[number], Source> = {
  node: { "index.cjs": "exports.handler = async (event) => await eval(event.body);" },
  python: {
    "main.py": "true = True\ndef handler(event, context):\n    return eval(event['body'])\n",
  },
};

function request(of: Partial<InvokeRequest> = {}): InvokeRequest {
  return { method: "POST", url: "http://run.example:7070/f/greet", headers: [], ...of };
}

async function eventOf(
  guest: NativeGuest,
  of: InvokeRequest,
  body: Buffer = Buffer.alloc(0),
): Promise<Record<string, unknown>> {
  const { body: answer } = await guest.invoke(body, { request: of });
  return JSON.parse(answer.toString()) as Record<string, unknown>;
}

for (const runtime of runtimes) {
  test(`a ${runtime} handler gets a request as the event of a function URL`, async () => {
    await using guest = await loadedGuest(runtime, echoes[runtime]);
    const whole = request({
      method: "PUT",
      url: "http://run.example:7070/f/greet/a%20b/%C3%BC?x=1&x=2&y=%26&empty",
      headers: [
        ["host", "run.example:7070"],
        ["x-a", "1"],
        ["x-a", "2"],
        ["cookie", "a=1; b=2"],
        ["user-agent", "test/1"],
        ["content-type", "Text/Plain; charset=utf-8"],
        ["x-forwarded-for", "192.0.2.7"],
        ["x-forwarded-prefix", "/f/greet"],
      ],
    });
    const event = await eventOf(guest, whole, Buffer.from("grüße"));
    const { time, timeEpoch, ...context } = event["requestContext"] as Record<string, unknown>;
    assert.match(String(time), /^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/);
    assert.ok(Math.abs(Number(timeEpoch) - Date.now()) < 60_000);
    assert.deepEqual(
      { ...event, requestContext: context },
      {
        version: "2.0",
        routeKey: "$default",
        rawPath: "/a%20b/%C3%BC",
        rawQueryString: "x=1&x=2&y=%26&empty",
        cookies: ["a=1", "b=2"],
        headers: {
          host: "run.example:7070",
          "x-a": "1,2",
          "user-agent": "test/1",
          "content-type": "Text/Plain; charset=utf-8",
          "x-forwarded-for": "192.0.2.7",
          "x-forwarded-prefix": "/f/greet",
        },
        queryStringParameters: { x: "1,2", y: "&", empty: "" },
        requestContext: {
          accountId: "anonymous",
          apiId: "greet",
          domainName: "run.example:7070",
          domainPrefix: "run",
          http: {
            method: "PUT",
            path: "/a%20b/%C3%BC",
            protocol: "HTTP/1.1",
            sourceIp: "192.0.2.7",
            userAgent: "test/1",
          },
          requestId: "inv-1",
          routeKey: "$default",
          stage: "$default",
        },
        body: "grüße",
        isBase64Encoded: false,
      },
    );
  });

  test(`a ${runtime} handler is told nothing of a body, a query and cookies that are not there`, async () => {
    await using guest = await loadedGuest(runtime, echoes[runtime]);
    const prefix: [string, string] = ["x-forwarded-prefix", "/f/greet"];
    const event = await eventOf(guest, request({ method: "GET", headers: [prefix] }));
    for (const name of ["body", "cookies", "queryStringParameters"]) assert.ok(!(name in event));
    assert.deepEqual(
      [event["rawPath"], event["rawQueryString"], event["isBase64Encoded"]],
      ["/", "", false],
    );
  });

  test(`a ${runtime} handler gets a body as base64 unless it says that it is text and is`, async () => {
    await using guest = await loadedGuest(runtime, echoes[runtime]);
    const bodies: [string | undefined, Buffer, boolean][] = [
      ["application/json", Buffer.from("{}"), false],
      ["application/ld+json", Buffer.from("{}"), false],
      ["text/csv", Buffer.from("a,b"), false],
      ["text/plain", Buffer.from([0xff]), true],
      ["multipart/form-data; boundary=x", Buffer.from("--x"), true],
      ["application/x-www-form-urlencoded", Buffer.from("a=b"), true],
      [undefined, Buffer.from("a"), true],
    ];
    for (const [type, body, isBase64Encoded] of bodies) {
      const headers: [string, string][] = type === undefined ? [] : [["content-type", type]];
      const event = await eventOf(guest, request({ headers }), body);
      assert.deepEqual(
        [event["isBase64Encoded"], event["body"]],
        [isBase64Encoded, body.toString(isBase64Encoded ? "base64" : "utf8")],
        type,
      );
    }
  });

  const answers: [string, object, string][] = [
    ["({'statusCode': 204})", { status: 204, contentType: "application/json", headers: [] }, ""],
    [
      "({'statusCode': '201', 'headers': {'Content-Type': 'text/html', 'X-N': 1}, 'cookies': ['a=1', 'b=2'], 'body': '<p>ü'})",
      {
        status: 201,
        contentType: "text/html",
        headers: [
          ["content-type", "text/html"],
          ["x-n", "1"],
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2"],
        ],
      },
      "<p>ü",
    ],
    [
      "({'statusCode': 200, 'body': 'AP8=', 'isBase64Encoded': true})",
      { status: 200, contentType: "application/json", headers: [] },
      "\u0000\u00ff",
    ],
    ["'hello'", { contentType: "application/json" }, "hello"],
    ["({'hello': [1]})", { contentType: "application/json" }, '{"hello":[1]}'],
  ];

  test(`what a ${runtime} handler makes of a request is understood as of a function URL`, async () => {
    await using guest = await loadedGuest(runtime, evaluators[runtime]);
    const headers: [string, string][] = [["content-type", "text/plain"]];
    for (const [expression, expected, text] of answers) {
      const told = await guest.invoke(Buffer.from(expression), { request: request({ headers }) });
      assert.deepEqual(told.message, { type: "result", id: "inv-1", ...expected });
      const isBinary = expression.includes("Base64");
      assert.equal(told.body.toString(isBinary ? "latin1" : "utf8"), text);
    }
  });

  const wrong: [string, RegExp][] = [
    ["({'statusCode': 99})", /statusCode/],
    ["({'statusCode': 'ok'})", /statusCode/],
    ["({'statusCode': 200, 'body': {'a': 1}})", /its body is neither a string nor a stream/],
    ["({'statusCode': 200, 'headers': {'a b': '1'}})", /its header "a b"/],
    ["({'statusCode': 200, 'headers': {'a': '1\\r\\nb: 2'}})", /its header "a"/],
    ["({'statusCode': 200, 'cookies': ['é€']})", /its header "set-cookie"/],
  ];

  test(`an object that a ${runtime} handler cannot answer a request with is an error`, async () => {
    await using guest = await loadedGuest(runtime, evaluators[runtime]);
    const headers: [string, string][] = [["content-type", "text/plain"]];
    for (const [expression, pattern] of wrong) {
      const told = await guest.invoke(Buffer.from(expression), { request: request({ headers }) });
      const error = errorOf(told.message);
      assert.equal(error.name, "TypeError", expression);
      assert.match(error.message, pattern);
    }
  });
}

test("a Response of an event-style handler answers a request as it is", async () => {
  await using guest = await loadedGuest("node", evaluators.node);
  const text = "new Response('made', { status: 418, headers: { 'x-a': 'b' } })";
  const headers: [string, string][] = [["content-type", "text/plain"]];
  const { message, body } = await guest.invoke(Buffer.from(text), {
    request: request({ headers }),
  });
  assert.ok(message.type === "result");
  assert.deepEqual([message.status, body.toString()], [418, "made"]);
});
