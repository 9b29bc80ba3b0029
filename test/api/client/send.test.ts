import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { send } from "../../../api/client/send.ts";
import { within } from "../../../runtime/deadline.ts";

const pieceBytes = 5000;
const content = Buffer.from(Uint8Array.from({ length: 40 * pieceBytes }, (_, at) => (at * 7) >> 3));
const lengthLine = `content-length: ${content.byteLength}\r\n`;

/** A server that does what it is told with each request: `asked` is what has come of it. */
async function serverOf(
  answer: (socket: Socket, asked: string) => Promise<void> | void,
): Promise<{ origin: string } & Disposable> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (asked: Buffer) => void answer(socket, asked.toString("latin1")));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, [Symbol.dispose]: () => void server.close() };
}

async function read(origin: string, pauseMs: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const response = await send(origin, "/", { method: "GET" });
  // Until all that may wait does, and what is behind it is held back.
  await sleep(200);
  for await (const piece of response.stream()) {
    assert.ok(piece.byteLength > 0);
    pieces.push(piece);
    await sleep(pauseMs);
  }
  return Buffer.concat(pieces);
}

suite("an answer that is read slowly", () => {
  const framings: [string, (socket: Socket) => void, (piece: Buffer) => (Buffer | string)[]][] = [
    ["has a length", (socket) => socket.write(`${lengthLine}\r\n`), (piece) => [piece]],
    [
      "has a length and ends its connection",
      (socket) => socket.write(`connection: close\r\n${lengthLine}\r\n`),
      (piece) => [piece],
    ],
    ["ends with its connection", (socket) => socket.write("\r\n"), (piece) => [piece]],
    [
      "comes in chunks",
      (socket) => socket.write("transfer-encoding: chunked\r\n\r\n"),
      (piece) => [`${piece.byteLength.toString(16)}\r\n`, piece, "\r\n"],
    ],
  ];
  for (const [what, begin, framed] of framings) {
    test(`comes whole where it ${what}, also after its sender has stopped for a while`, async () => {
      using server = await serverOf(async (socket) => {
        socket.write("HTTP/1.1 200 OK\r\n");
        begin(socket);
        for (let at = 0; at < content.byteLength; at += pieceBytes) {
          if (at === 20 * pieceBytes) await sleep(500);
          for (const part of framed(content.subarray(at, at + pieceBytes))) socket.write(part);
          await sleep(1);
        }
        if (what.includes("chunks")) socket.write("0\r\n\r\n");
        if (what.includes("connection")) socket.end();
      });
      const got = await within(read(server.origin, 1), "read it", 20_000);
      assert.ok(got.equals(content));
    });
  }
});

test("an answer without a body may tell of a length", async () => {
  const head = "HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n";
  using server = await serverOf((socket) => void socket.write(head));
  const { status, headers } = await send(server.origin, "/", { method: "GET" });
  assert.deepEqual([status, headers.get("content-length")], [304, "10"]);
});

test("a method in lower case is sent as the method that it is", async () => {
  using server = await serverOf((socket, asked) => {
    const method = asked.split(" ")[0] ?? "";
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${method.length}\r\n\r\n${method}`);
  });
  const answer = await send(server.origin, "/", { method: "post", body: "x" });
  assert.equal(await answer.text(), "POST");
});

test("a header that is none is the caller's fault, and not told as the server's", async () => {
  using server = await serverOf((socket) => void socket.end());
  const headers = { authorization: "Bearer a\nb" };
  await assert.rejects(send(server.origin, "/", { method: "GET", headers }), {
    name: "InvalidArgumentError",
    message: /authorization/,
  });
});

test("a process that gives up while it waits for a connection ends at once", async () => {
  // Nobody takes the connections, and the next ones are not even answered.
  const full = `
import socket, sys
server = socket.socket(); server.bind(("127.0.0.1", 0)); server.listen(0)
others = [socket.socket() for _ in range(3)]
for other in others:
    other.setblocking(False); other.connect_ex(server.getsockname())
print(server.getsockname()[1], flush=True)
sys.stdin.read()`;
  const listener = spawn("python3", ["-c", full], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const [port] = (await once(listener.stdout, "data")) as [Buffer];
    const source = `
import { send } from ${JSON.stringify(new URL("../../../api/client/send.ts", import.meta.url).href)};
const origin = "http://127.0.0.1:${port.toString().trim()}";
await send(origin, "/", { method: "GET", timeoutMs: 300 }).catch(({ message }) => console.log(message));`;
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", source]);
    const { stdout } = await within(run, "see it end", 5000);
    assert.match(stdout, /no answer within 300 ms/);
  } finally {
    listener.stdin.end();
    await once(listener, "exit");
  }
});
