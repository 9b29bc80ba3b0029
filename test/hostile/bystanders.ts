import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { within } from "../../runtime/deadline.ts";
import type { TestServer } from "../support/server.ts";

/** How soon a neighbour has to have its answer, whatever goes on beside it. */
const answerWithinMs = 10_000;
const askEveryMs = 50;

const counter = `
let count = 0;
export const handler = ({ secret }) => ({ count: ++count, secret: (globalThis.secret ??= secret) });`;

/**
 * Those who live beside hostile guests: a warm function that counts, asked over and over, and a sandbox with a file
 * and a process. Disposing it asks no more.
 */
interface Neighbours extends AsyncDisposable {
  /** Waits for an answer that was asked for after this; fails where any was late or other than it should be. */
  unharmed(): Promise<void>;
}

/** Moves the neighbours in. */
export async function moveIn({ client }: TestServer): Promise<Neighbours> {
  const secret = "the neighbour's";
  await client.deploy("neighbour", {
    runtime: "node",
    isolation: "reuse",
    code: { source: counter },
  });
  const { id } = await client.createSandbox({ memoryBytes: 128 * 1024 * 1024 });
  await client.writeFile(id, "kept", secret);
  const { id: sleeper } = await client.startCommand(id, { command: "sleep 600" });
  const seen: { asked: number; isOver: boolean; failure?: Error } = { asked: 0, isOver: false };
  const ask = async (): Promise<void> => {
    const answer = await within(
      client.invoke("neighbour", { event: JSON.stringify({ secret }) }),
      "have the neighbour answer",
      answerWithinMs,
    );
    const told = JSON.parse(Buffer.from(answer.body).toString()) as unknown;
    // The count goes on by one: it is the same process, and nobody else has called it.
    assert.deepEqual(told, { count: seen.asked + 1, secret });
    seen.asked++;
  };
  const asking = (async () => {
    while (!seen.isOver) {
      await ask();
      await delay(askEveryMs);
    }
  })().catch((error: unknown) => {
    seen.failure = new Error("The neighbour was harmed", { cause: error });
  });
  return {
    async unharmed() {
      const enough = seen.asked + 2;
      while (seen.failure === undefined && seen.asked < enough) await delay(askEveryMs);
      if (seen.failure !== undefined) throw seen.failure;
      assert.equal(await client.readText(id, "kept"), secret);
      assert.equal((await client.command(id, sleeper)).endedAtUs, undefined);
    },
    async [Symbol.asyncDispose]() {
      seen.isOver = true;
      await asking;
      await client.removeSandbox(id);
    },
  };
}

/** What of the host a guest must not reach, with a service at all of its addresses. */
interface Host extends AsyncDisposable {
  /** Where the service is, which tells nobody that it was asked. */
  readonly port: number;
  /** Fails where anything of the host is other than it was. */
  unharmed(): void;
}

/** Notes how the host is, and starts its service. */
export async function watchHost(): Promise<Host> {
  let calls = 0;
  const service = createServer((_, response) => response.end("host")).on("connection", () => {
    calls++;
  });
  service.listen(0);
  await once(service, "listening");
  const before = factsOf();
  return {
    port: (service.address() as AddressInfo).port,
    unharmed() {
      assert.equal(calls, 0, "somebody reached a service of the host");
      assert.deepEqual(factsOf(), before);
    },
    async [Symbol.asyncDispose]() {
      service.close();
      await once(service, "close");
    },
  };
}

/** What no guest may change of the host. */
function factsOf(): unknown {
  const files = [
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/vm/overcommit_memory",
    "/etc/passwd",
    "/etc/hostname",
  ];
  return {
    hostname: hostname(),
    files: files.map((file) => readFileSync(file, "utf8")),
    modes: ["/tmp", "/etc", "/dev/null"].map((path) => statSync(path).mode),
    swaps: readFileSync("/proc/swaps", "utf8").split("\n").length,
  };
}
