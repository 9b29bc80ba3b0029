import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpBindings } from "@hono/node-server";
import { networkOf } from "../../../api/routes/http-request.ts";

const rows = [
  ["203.0.113.9", "203.0.113.9"],
  ["::ffff:203.0.113.9", "203.0.113.9"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::6", "2001:db8:1:2::/64"],
  ["2001:db8::6", "2001:db8:0:0::/64"],
  ["2001::3:4:5:6:7:8", "2001:0:3:4::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  [undefined, ""],
] as const;

for (const [remoteAddress, network] of rows) {
  test(`a caller at ${remoteAddress} counts as ${network}`, () => {
    const incoming = { socket: { remoteAddress } } as HttpBindings["incoming"];
    assert.equal(networkOf({ incoming } as HttpBindings), network);
  });
}
