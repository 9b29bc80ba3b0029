import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { TestServer } from "../support/server.ts";

const guests = join(import.meta.dirname, "guests");
const prelude = readFileSync(join(guests, "attempts.py"), "utf8");
const refused = /^E[A-Z0-9]+$/;

/** A hostile program in Python, by the name of its file among the guests. */
export function guestSource(name: string): string {
  return prelude + readFileSync(join(guests, `${name}.py`), "utf8");
}

/** Where the host is, as the guests are told in their first argument. */
export function placesOf(server: TestServer, host: { readonly port: number }): string {
  return JSON.stringify({
    loopback: [host.port, Number(new URL(server.url).port)],
    hosts: Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .filter(({ family, internal }) => family === "IPv4" && !internal)
      .map(({ address }) => address),
  });
}

/** What a guest saw is what it may see, and anything else that it tried was refused. */
export function assertSeen(seen: object, expected: Readonly<Record<string, unknown>>): void {
  for (const [what, came] of Object.entries(seen) as [string, unknown][]) {
    const right = expected[what];
    if (right === undefined) {
      assert.match(String(came), refused, what);
    } else if (typeof right === "object" && right !== null && "below" in right) {
      assert.ok(Number(came) > 1 && Number(came) < Number(right.below), `${what}: ${String(came)}`);
    } else {
      assert.deepEqual(came, right, what);
    }
  }
}
