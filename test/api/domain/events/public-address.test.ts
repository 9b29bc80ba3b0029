import assert from "node:assert/strict";
import { test } from "node:test";
import { assertPublicHost } from "../../../../api/domain/events/delivery/public-address.ts";
import { isPublicAddress } from "../../../../runtime/network/special-addresses.ts";

const rows: [address: string, isPublic: boolean][] = [
  ["93.184.216.34", true],
  ["172.32.0.1", true],
  ["2606:2800:220:1:248:1893:25c8:1946", true],
  ["0.0.0.0", false],
  ["10.1.2.3", false],
  ["100.64.0.1", false],
  ["127.0.0.1", false],
  ["127.255.255.255", false],
  ["169.254.169.254", false],
  ["172.16.0.1", false],
  ["172.31.255.255", false],
  ["192.168.1.1", false],
  ["198.18.0.1", false],
  ["224.0.0.1", false],
  ["255.255.255.255", false],
  ["::", false],
  ["::1", false],
  ["::7f00:1", false],
  ["::ffff:127.0.0.1", false],
  ["::ffff:93.184.216.34", false],
  ["64:ff9b::7f00:1", false],
  ["64:ff9b:1::7f00:1", false],
  ["100::1", false],
  ["2001::1", false],
  ["2001:db8::1", false],
  ["2002:7f00:1::", false],
  ["3fff::1", false],
  ["fc00::1", false],
  ["fd12:3456::1", false],
  ["fe80::1", false],
  ["fe80::1%eth0", false],
  ["fec0::1", false],
  ["ff02::1", false],
  ["example.org", false],
];

for (const [address, isPublic] of rows) {
  test(`${address} is ${isPublic ? "" : "not "}an address of the public Internet`, () => {
    assert.equal(isPublicAddress(address), isPublic);
  });
}

test("a URL's host that is an address is refused in each way it can be written, where it is not public", () => {
  const hosts = ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "[::1]", "[::ffff:10.0.0.1]"];
  for (const host of hosts) {
    const { hostname } = new URL(`https://${host}/`);
    assert.throws(() => assertPublicHost(hostname), { code: "failed_precondition" }, host);
  }
  for (const host of ["example.org", "localhost", "93.184.216.34", "[2606:2800:220:1::1]"]) {
    assertPublicHost(new URL(`https://${host}/`).hostname);
  }
});
