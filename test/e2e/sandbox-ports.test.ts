import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { after, suite, test } from "node:test";
import { WebSocket } from "ws";
import { poll, within } from "../../runtime/deadline.ts";
import { problemIn } from "../support/problem.ts";
import { rawRequest } from "../support/raw-request.ts";
import { startTestServer } from "../support/server.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { client, url } = server;
const box = await client.sandboxes.open({ autoResume: true });
const program = await readFile(join(import.meta.dirname, "../fixtures/port-server.cjs"));
await box.files.write("server.cjs", program);
const { id: inside } = await box.commands.start({ args: ["node", "server.cjs"] });
for await (const event of box.commands.follow(inside)) {
  if (event.type === "output" && event.text.includes("ready")) break;
}
const base = `/v1/sandboxes/${box.id}/ports`;

interface Seen {
  method: string;
  url: string;
  rawHeaders: string[];
  body: string;
}

interface Sent {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
}

/** Sends a request as it is written: `fetch` would tidy its path and keep some headers to itself. */
async function send(
  path: string,
  { method = "GET", headers = {}, body }: Sent = {},
): Promise<IncomingMessage> {
  const { hostname, port } = new URL(url);
  const asking = request({ hostname, port, path, method, headers, agent: false }).end(body);
  return ((await once(asking, "response")) as [IncomingMessage])[0];
}

async function seen(path: string, sent?: Sent): Promise<Seen> {
  return JSON.parse(await text(await send(path, sent))) as Seen;
}

function headersIn({ rawHeaders }: Seen): Record<string, string> {
  const pairs = rawHeaders.flatMap((name, at) =>
    at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ""]] : [],
  );
  return Object.fromEntries(pairs) as Record<string, string>;
}

async function written(wanted: string): Promise<void> {
  const probe = async (): Promise<true | undefined> => {
    let all = "";
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), 200);
    try {
      for await (const event of box.commands.follow(inside, { signal: abort.signal })) {
        if (event.type === "output") all += event.text;
        if (all.includes(wanted)) return true;
      }
    } catch {
      // It went on for longer than this looks.
    } finally {
      clearTimeout(timer);
    }
    return undefined;
  };
  await poll(`see ${wanted}`, probe, { timeoutMs: 10_000 });
}

async function tunnel(port: number): Promise<Socket> {
  const { hostname, port: at } = new URL(url);
  const socket = connect({ host: hostname, port: Number(at), allowHalfOpen: true });
  socket.write(
    `GET ${base}/${port} HTTP/1.1\r\nHost: ${hostname}:${at}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  );
  const [head] = (await once(socket, "data")) as [Buffer];
  assert.match(head.toString(), /^HTTP\/1\.1 101 /);
  socket.unshift(head.subarray(head.indexOf("\r\n\r\n") + 4));
  return socket;
}

function webSocket(path: string, headers: Record<string, string> = {}): WebSocket {
  return new WebSocket(`${url.replace("http", "ws")}${path}`, {
    headers,
    perMessageDeflate: false,
  });
}

suite("a port of a sandbox over HTTP", () => {
  for (const [path, expected] of [
    ["", "/"],
    ["?a=1", "/?a=1"],
    ["/", "/"],
    ["/users/7?a=%20b&c", "/users/7?a=%20b&c"],
    ["/%2e%2e/a%2Fb//c/%ff", "/%2e%2e/a%2Fb//c/%ff"],
    ["/a/../b/./c", "/a/../b/./c"],
  ] as const) {
    test(`the path ${path || "of the port itself"} comes as ${expected}`, async () => {
      assert.equal((await seen(`${base}/8080${path}`)).url, expected);
    });
  }

  for (const method of ["GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "PROPFIND"]) {
    test(`${method} comes with its body`, async () => {
      const sent = { method, body: "text", headers: { "content-length": "4" } };
      const { body, method: got } = await seen(`${base}/8080/a`, sent);
      assert.deepEqual([got, body], [method, "text"]);
    });
  }

  test("a request without a body, and one in chunks, come as such", async () => {
    assert.equal(
      headersIn(await seen(`${base}/8080/a`, { method: "POST" }))["content-length"],
      "0",
    );
    const chunked = { method: "GET", headers: { "transfer-encoding": "chunked" }, body: "text" };
    assert.equal((await seen(`${base}/8080/a`, chunked)).body, "text");
  });

  test("HEAD and a status without a body have none", async () => {
    const head = await send(`${base}/8080/headers`, { method: "HEAD" });
    assert.deepEqual([head.statusCode, await text(head)], [200, ""]);
    const empty = await send(`${base}/8080/empty`);
    assert.deepEqual([empty.statusCode, await text(empty)], [204, ""]);
  });

  test("headers come but for keys, cookies, those of one hop and what a proxy says", async () => {
    const key = `rlk_${"0".repeat(20)}_${"0".repeat(64)}`;
    const headers = headersIn(
      await seen(`${base}/8080/a`, {
        headers: {
          "x-own": "1",
          "x-api-key": `key ${key}`,
          cookie: "session=host",
          connection: "x-hop",
          "x-hop": "1",
          "x-forwarded-for": "lie",
        },
      }),
    );
    const { host } = new URL(url);
    assert.deepEqual(headers, {
      host,
      "x-own": "1",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "http",
      "x-forwarded-host": host,
      "x-forwarded-prefix": `${base}/8080`,
      connection: "close",
    });
  });

  test("an answer has its headers but for what would speak for the whole origin, and is a page of its own", async () => {
    const { headers } = await send(`${base}/8080/headers`);
    for (const name of [
      "set-cookie",
      "service-worker-allowed",
      "clear-site-data",
      "runlet-start",
      "x-hop",
    ]) {
      assert.equal(headers[name], undefined, name);
    }
    assert.equal(headers["x-own"], "é");
    const policy = String(headers["content-security-policy"]);
    assert.match(policy, /default-src 'self', sandbox /);
    assert.doesNotMatch(policy, /allow-same-origin/);
  });

  test("large bodies stream in both directions", async () => {
    const body = new Blob(Array.from({ length: 24 }, () => Buffer.alloc(1024 * 1024, "y")));
    const up = await server.fetch(`${base}/8080/count`, { method: "POST", body });
    assert.equal(await up.text(), String(24 * 1024 * 1024));
    const down = await send(`${base}/8080/megabytes?count=24`);
    assert.equal((await buffer(down)).byteLength, 24 * 1024 * 1024);
  });

  test("an answer that comes before the end of its request gets to its caller", async () => {
    const body = new Blob([Buffer.alloc(8 * 1024 * 1024)]);
    // What is still being sent meets a connection that is closed at one moment or another.
    for (let left = 20; left > 0; left--) {
      const answer = await server.fetch(`${base}/8080/early`, { method: "POST", body });
      assert.deepEqual([answer.status, await answer.text()], [413, "enough"]);
    }
  });

  test("a reader that stops holds up nobody, and a caller that leaves is seen inside", async () => {
    const slow = await send(`${base}/8080/megabytes?count=1000`);
    await once(slow, "readable");
    assert.equal((await seen(`${base}/8080/other`)).url, "/other");
    slow.destroy();
    const leaving = new AbortController();
    const never = server.fetch(`${base}/8080/never`, { signal: leaving.signal });
    await seen(`${base}/8080/other`);
    leaving.abort();
    await assert.rejects(never);
    await written("left");
  });

  for (const [what, path] of [
    ["nobody listens on", "/9999/"],
    ["is left without an answer", "/8080/nothing"],
    ["speaks something else", "/8080/junk"],
    ["goes over to another protocol unasked", "/8080/unasked"],
  ] as const) {
    test(`a port that ${what} is a 502`, async () => {
      const problem = await problemIn(await server.fetch(`${base}${path}`));
      assert.deepEqual([problem.status, problem.code], [502, "port_failed"]);
    });
  }

  test("an answer that ends too early ends its connection, and an odd status is passed on", async () => {
    const whole = async (): Promise<string> =>
      await (await server.fetch(`${base}/8080/short`)).text();
    await assert.rejects(whole());
    assert.equal((await send(`${base}/8080/status`)).statusCode, 999);
  });

  test("a server that listens on the loopback of IPv6 alone is reached", async () => {
    const socket = await tunnel(8082);
    assert.equal(await text(socket), "six");
    socket.end();
  });

  for (const [path, status] of [
    [`${base}/0/`, 400],
    [`${base}/65536/`, 400],
    [`${base}/80%38/`, 400],
    ["/v1/sandboxes/nobody/ports/80/", 400],
    ["/v1/sandboxes/019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f/ports/80/", 404],
    [`/v1/x/../sandboxes/${box.id}/ports/8080/`, 404],
  ] as const) {
    test(`${path.replace(box.id, "ID")} is answered with ${status}`, async () => {
      const answer = await send(path);
      assert.equal(answer.statusCode, status, await text(answer));
    });
  }

  test("a script of a service worker is refused", async () => {
    const { statusCode } = await send(`${base}/8080/sw.js`, {
      headers: { "service-worker": "script" },
    });
    assert.equal(statusCode, 403);
  });

  test("a paused sandbox is woken where that was asked for, and refuses otherwise", async () => {
    await box.pause();
    assert.equal((await seen(`${base}/8080/woken`)).url, "/woken");
    await using other = await client.sandboxes.open();
    await other.pause();
    const refused = await server.fetch(`/v1/sandboxes/${other.id}/ports/80/`);
    assert.equal((await problemIn(refused)).code, "failed_precondition");
  });
});

suite("a connection that a port of a sandbox takes over", () => {
  test("a WebSocket is one to the server inside, whose close its client is told", async () => {
    const socket = webSocket(`${base}/8080/chat`);
    await once(socket, "open");
    const answers: string[] = [];
    socket.on("message", (body: Buffer) => answers.push(body.toString()));
    for (const word of ["one", "two", "bye"]) socket.send(word);
    await within(once(socket, "close"), "see it close", 10_000);
    assert.deepEqual(answers, ["one", "two", "bye"]);
  });

  test("a server inside that refuses a WebSocket is heard", async () => {
    const socket = webSocket(`${base}/8080/refused`);
    const [, answer] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
    assert.deepEqual([answer.statusCode, await text(answer)], [403, "no"]);
  });

  test("a client that drops its WebSocket is seen inside", async () => {
    const socket = webSocket(`${base}/8080/chat`);
    await once(socket, "open");
    socket.terminate();
    await written("closed");
  });

  test("a port is a connection as it is, of which each half has its own end", async () => {
    const socket = await tunnel(8081);
    socket.end("hello");
    assert.equal(await text(socket), "HELLO");
  });

  test("bytes that move keep a sandbox from being idle, and a connection that stands does not", async () => {
    const other = await client.sandboxes.open({ idleTimeoutMs: 1000 });
    await other.files.write("server.cjs", program);
    const { id: listening } = await other.commands.start({ args: ["node", "server.cjs"] });
    for await (const event of other.commands.follow(listening)) {
      if (event.type === "output" && event.text.includes("ready")) break;
    }
    const connection = await other.ports.connect(8081);
    const closed = once(connection, "close");
    const endsAt = performance.now() + 2500;
    const sent = (): true | undefined => {
      connection.write("x");
      return performance.now() > endsAt || undefined;
    };
    await poll("send bytes for long enough", sent, { timeoutMs: 10_000, intervalMs: 300 });
    assert.equal((await other.get()).state, "running");
    await within(closed, "see it close", 10_000);
    const isOver = async (): Promise<true | undefined> =>
      (await other.get()).endReason === "idle" || undefined;
    await poll("see it end", isOver, { timeoutMs: 10_000 });
  });

  test("ten connections at once each have their own", async () => {
    const all = Array.from({ length: 10 }, async (_, at) => {
      const socket = await tunnel(8081);
      socket.end(`number ${at}`);
      return await text(socket);
    });
    assert.deepEqual(
      await Promise.all(all),
      Array.from({ length: 10 }, (_, at) => `NUMBER ${at}`),
    );
  });

  for (const [what, path, headers, status] of [
    ["of a page of another origin", `${base}/8080/`, ["origin: https://example.org"], 403],
    ["of a page without an origin", `${base}/8080/`, ["origin: null"], 403],
    ["to a port where nobody listens", `${base}/9999/`, [], 502],
    [
      "of a sandbox that is not there",
      base.replace(/[0-9a-f]{4}\/ports$/, "ffff/ports") + "/80/",
      [],
      404,
    ],
    ["of a route that has none", `/v1/sandboxes/${box.id}`, [], 200],
  ] as const) {
    test(`an upgrade ${what} is answered with ${status}`, async () => {
      const { host } = new URL(url);
      const { status: got, text: all } = await rawRequest(url, [
        `GET ${path} HTTP/1.1`,
        `host: ${host}`,
        "connection: upgrade",
        "upgrade: websocket",
        ...headers,
      ]);
      assert.equal(got, status, all);
      assert.match(all, /connection: close/i);
    });
  }

  test("an upgrade to tcp is for the port alone", async () => {
    const { host } = new URL(url);
    const lines = [
      `GET ${base}/8081/a HTTP/1.1`,
      `host: ${host}`,
      "connection: upgrade",
      "upgrade: tcp",
    ];
    assert.equal((await rawRequest(url, lines)).status, 400);
  });

  test("what is connected ends with its sandbox, and when the server does", async () => {
    const other = await client.sandboxes.open();
    await other.commands.start({ args: ["python3", "-m", "http.server", "8000"] });
    const { hostname, port } = new URL(url);
    const opened = await poll(
      "connect",
      async () => {
        const socket = connect(Number(port), hostname);
        socket.write(
          `GET /v1/sandboxes/${other.id}/ports/8000 HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
        );
        const [head] = (await once(socket, "data")) as [Buffer];
        return head.toString().includes(" 101 ") ? socket : undefined;
      },
      { timeoutMs: 20_000, intervalMs: 100 },
    );
    const closed = once(opened.resume(), "close");
    await other.delete();
    await within(closed, "see it end", 5000);
    // The server of this file ends with one that is open.
    await tunnel(8081);
  });
});
