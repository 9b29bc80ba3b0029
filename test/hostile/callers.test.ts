import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { within } from "../../runtime/deadline.ts";
import { rawRequest } from "../support/raw-request.ts";
import { startTestServer } from "../support/server.ts";

const maxConnections = 40;
const server = await startTestServer({ overrides: { maxConnections } });
after(async () => await server[Symbol.asyncDispose]());
const host = new URL(server.url).host;

function open(text: string): Socket {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname).on("error", () => undefined);
  socket.resume().write(text);
  return socket;
}

/** Waits until a connection has ended, in whatever way. */
async function left(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  socket.once("close", resolve);
  await promise;
}

suite("a caller that is slow or greedy", () => {
  test("has not the time to send a head byte by byte, and others are served meanwhile", async () => {
    const slow = Array.from({ length: 30 }, () =>
      open(`GET /healthz HTTP/1.1\r\nhost: ${host}\r\n`),
    );
    const ended = Promise.all(slow.map(async (socket) => await left(socket)));
    const dripping = setInterval(() => {
      for (const socket of slow) if (socket.writable) socket.write("x");
    }, 200);
    try {
      assert.equal((await server.fetch("/healthz")).status, 200);
      await within(ended, "see slow callers leave", 10_000);
    } finally {
      clearInterval(dripping);
    }
  });

  test("has no more connections than there may be, and room is had again once it has left", async () => {
    const greedy = Array.from({ length: maxConnections + 10 }, () => open(""));
    const refused = greedy.slice(maxConnections).map(async (each) => await left(each));
    await within(Promise.any(refused), "see one refused", 5_000);
    for (const each of greedy) each.destroy();
    await within(
      (async () => {
        for (;;) {
          const answer = await server.fetch("/healthz").catch(() => undefined);
          if (answer?.ok) return;
        }
      })(),
      "be served again",
      5_000,
    );
  });
});

test("callers with wrong keys are refused however many they are, and holders of good ones are served meanwhile", async () => {
  await using strict = await startTestServer({ overrides: { auth: "required" } });
  const good = readFileSync(join(strict.config.dataDir, "admin.key"), "utf8").trim();
  const ask = async (key: string): Promise<number> => {
    const headers = { authorization: `Bearer ${key}` };
    const answer = await strict.fetch("/v1/functions", { headers });
    await answer.arrayBuffer();
    return answer.status;
  };
  const wrong = [`${good.slice(0, -4)}AAAA`, `rlk_${"0".repeat(60)}`, "x", "x".repeat(8000)];
  const statuses: number[] = [];
  const callers = 20;
  const flood = Array.from({ length: callers }, async (_, at) => {
    const key = wrong[at % wrong.length] ?? "";
    for (let round = 0; round < 10; round++) statuses.push(await ask(key).catch(() => 0));
  });
  while (statuses.length < callers * 10) {
    assert.equal(await within(ask(good), "be served", 5_000), 200);
  }
  await Promise.all(flood);
  assert.equal(statuses.length, 200);
  assert.deepEqual([...new Set(statuses)], [401]);
});

const get = "GET /v1/functions HTTP/1.1";
const own = `host: ${host}`;
const heads: [string, string[], RegExp][] = [
  ["a head over its bound", [get, own, `x: ${"x".repeat(40_000)}`], /^431$/],
  ["a carriage return inside a header", [get, own, "x: a\rset-cookie: b"], /^400$/],
  ["two lengths", [get, own, "content-length: 1", "content-length: 2"], /^400$/],
  ["a length and chunks", [get, own, "content-length: 1", "transfer-encoding: chunked"], /^400$/],
  ["a length that is none", [get, own, "content-length: -1"], /^400$/],
  ["no host", [get], /^400$/],
  ["a method that is none", ["EVIL /v1/functions HTTP/1.1", own], /^400$/],
  ["a space in its path", ["GET /v1/functions /x HTTP/1.1", own], /^400$/],
  ["a path up and down", ["GET /v1/nothing/../../../etc/passwd HTTP/1.1", own], /^404$/],
  ["an encoded path up", ["GET /v1/functions/%2e%2e%2fkeys HTTP/1.1", own], /^40[04]$/],
  ["a NUL in its path", ["GET /v1/functions/a%00b HTTP/1.1", own], /^40[04]$/],
  ["a broken escape in its path", ["GET /v1/functions/%zz HTTP/1.1", own], /^40[04]$/],
  ["line ends in its path", ["GET /v1/functions/a%0d%0aset-cookie:x HTTP/1.1", own], /^40[04]$/],
];

suite("a request", () => {
  for (const [what, lines, expected] of heads) {
    test(`with ${what} is refused`, async () => {
      const { status, text } = await rawRequest(server.url, lines);
      assert.match(String(status), expected, text);
      assert.doesNotMatch(text, /^set-cookie:/im);
      assert.equal((await server.fetch("/healthz")).status, 200);
    });
  }

  test("of another origin is told nothing that lets a page read the answer", async () => {
    for (const method of ["GET", "OPTIONS", "POST"]) {
      const headers = { origin: "https://evil.example", "access-control-request-method": "PUT" };
      const answer = await server.fetch("/v1/functions", { method, headers });
      const names = [...answer.headers.keys()];
      assert.deepEqual(
        names.filter((name) => name.startsWith("access-control-")),
        [],
      );
      assert.ok(answer.status >= 400);
    }
  });
});

test("a list is not asked for metadata of no possible name", async () => {
  for (const name of ["%00", '"', "a b", "$.x"]) {
    const answer = await server.fetch(`/v1/sandboxes?metadata=${encodeURIComponent(name)}%3D1`);
    assert.equal(answer.status, 400, await answer.text());
  }
});
