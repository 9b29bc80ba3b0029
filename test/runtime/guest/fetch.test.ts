import assert from "node:assert/strict";
import test from "node:test";
import { errorOf, loadedGuest, type NativeGuest } from "./native-guest.ts";

const source = {
  "index.mjs": `export default { async fetch(request, context) {
    const { method, url, headers } = request;
    const body = await request.text();
    return Response.json({ method, url, headers: [...headers], body, id: context.invocationId }, {
      status: 201, headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-word", "é"]] });
  } };`,
};

async function seen(
  guest: NativeGuest,
  ...args: Parameters<NativeGuest["invoke"]>
): Promise<unknown> {
  return JSON.parse((await guest.invoke(...args)).body.toString());
}

test("a fetch handler gets the request that came", async () => {
  await using guest = await loadedGuest("node", source);
  const request = {
    method: "PUT",
    url: "https://example.org/a?b=c",
    headers: [
      ["content-type", "text/x"],
      ["x-a", "1"],
      ["x-a", "2"],
    ] as [string, string][],
  };
  assert.deepEqual(await seen(guest, Buffer.from("event"), { request, contentType: "text/x" }), {
    method: "PUT",
    url: "https://example.org/a?b=c",
    headers: [
      ["content-type", "text/x"],
      ["x-a", "1, 2"],
    ],
    body: "event",
    id: "inv-1",
  });
});

test("an invocation that did not come over HTTP is a POST of its event", async () => {
  await using guest = await loadedGuest("node", source);
  assert.deepEqual(await seen(guest, { a: 1 }), {
    method: "POST",
    url: "http://localhost/",
    headers: [["content-type", "application/json"]],
    body: '{"a":1}',
    id: "inv-1",
  });
});

test("a request whose method has no body is one without", async () => {
  await using guest = await loadedGuest("node", source);
  for (const method of ["GET", "HEAD"]) {
    const request = { method, url: "http://localhost/", headers: [] };
    const answer = (await seen(guest, Buffer.from("lost"), { request })) as { body: string };
    assert.equal(answer.body, "");
  }
});

test("a Response keeps its status and headers", async () => {
  await using guest = await loadedGuest("node", source);
  const { message } = await guest.invoke();
  assert.deepEqual(message, {
    type: "result",
    id: "inv-1",
    contentType: "application/json",
    status: 201,
    headers: [
      ["content-type", "application/json"],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
      ["x-word", "é"],
    ],
  });
});

test("a request that the web does not know is an error", async () => {
  await using guest = await loadedGuest("node", source);
  for (const request of [
    { method: "A B", url: "http://localhost/", headers: [] },
    { method: "GET", url: "nowhere", headers: [] },
    { method: "GET", url: "http://localhost/", headers: [["a b", "c"]] as [string, string][] },
  ]) {
    const error = errorOf((await guest.invoke(undefined, { request })).message);
    assert.equal(error.name, "InvalidEvent");
    assert.match(error.message, /^Cannot make a Request: ./);
  }
});
