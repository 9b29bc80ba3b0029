import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { loadConfig } from "../../api/config.ts";
import { isLoopback } from "../../api/schema/loopback.ts";
import { rawRequest } from "../support/raw-request.ts";
import { startTestServer, type TestServer } from "../support/server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => await server[Symbol.asyncDispose]());

const taken: Readonly<Record<string, (host: string) => readonly string[]>> = {
  "from a program": (host) => [`host: ${host}`],
  "to localhost": () => ["host: localhost:1"],
  "to an address of IPv6": () => ["host: [::1]:7070"],
  "from a page of its own": (host) => [
    `host: ${host}`,
    `origin: http://${host}`,
    "sec-fetch-site: same-origin",
  ],
};
for (const [what, lines] of Object.entries(taken)) {
  test(`a request ${what} is taken without a key`, async () => {
    assert.equal((await list(lines(new URL(server.url).host))).status, 200);
  });
}

const refused: Readonly<Record<string, (host: string) => readonly string[]>> = {
  "to a name that somebody leads here": () => ["host: rebound.example"],
  "to a name that begins like an address": () => ["host: 127.0.0.1.example"],
  "to an address of the network": () => ["host: 192.168.0.7:7070"],
  "from a page of another site": (host) => [`host: ${host}`, "origin: https://example.org"],
  "from a page of another port": (host) => [`host: ${host}`, "origin: http://localhost:3000"],
  "from a page that hides its origin": (host) => [`host: ${host}`, "origin: null"],
  "from an image of another site": (host) => [`host: ${host}`, "sec-fetch-site: cross-site"],
};
for (const [what, lines] of Object.entries(refused)) {
  test(`a request ${what} is refused where no key is asked for`, async () => {
    const { status, text } = await list(lines(new URL(server.url).host));
    assert.equal(status, 403, text);
    assert.doesNotMatch(text, /access-control/i);
  });
}

test("a key that is brought has to be good, though none is needed", async () => {
  const key = `rlk_${"0".repeat(20)}_${"0".repeat(64)}`;
  const { host } = new URL(server.url);
  assert.equal((await list([`host: ${host}`, `authorization: Bearer ${key}`])).status, 401);
});

test("what anybody reads is read from anywhere", async () => {
  const lines = ["GET /healthz HTTP/1.1", "host: probe.example", "origin: https://example.org"];
  assert.equal((await rawRequest(server.url, lines)).status, 200);
});

test("keys are required unless they are not on a loopback address, and never elsewhere", () => {
  assert.equal(loadConfig({}).auth, "required");
  assert.equal(loadConfig({ RUNLET_AUTH: "loopback", RUNLET_HOST: "::1" }).auth, "loopback");
  assert.throws(() => loadConfig({ RUNLET_AUTH: "loopback", RUNLET_HOST: "0.0.0.0" }), {
    message: /RUNLET_AUTH: loopback is for loopback addresses, and RUNLET_HOST is 0\.0\.0\.0/,
  });
});

for (const [host, expected] of Object.entries({
  "127.0.0.1": true,
  "127.8.8.8:80": true,
  localhost: true,
  "a.localhost:7070": true,
  "::1": true,
  "[::1]:7070": true,
  "0.0.0.0": false,
  "::": false,
  "10.0.0.1": false,
  "localhost.example": false,
  "user@127.0.0.1": false,
  "127.0.0.1/x": false,
  "": false,
})) {
  test(`${host || "no host"} is ${expected ? "" : "not "}loopback`, () => {
    assert.equal(isLoopback(host), expected);
  });
}

async function list(lines: readonly string[]): ReturnType<typeof rawRequest> {
  return await rawRequest(server.url, ["GET /v1/functions HTTP/1.1", ...lines]);
}
