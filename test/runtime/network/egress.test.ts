import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { type Finding, type Probe, probeIn } from "./probes.ts";
import { hostAddress, Rig } from "./rig.ts";

const refused = { error: "ECONNREFUSED" };
const unnamed = /^name: /;

/** What one sandbox with this list gets to. A pattern stands for an error; the address is who was asked. */
const allow = [
  "www.allowed.test",
  "*.wild.test:8080",
  "private.test",
  "metadata.test",
  "host.test",
  "listed.test",
  "mixed.test",
  "many.test",
  "absent.test",
  "203.0.113.0/24",
  "10.20.30.0/24:80",
  "11.22.33.0/24",
];
const rows: [what: string, probe: Probe, expected: RegExp | Finding][] = [
  ["a host that is allowed by name", ["get", "www.allowed.test", 80], "11.22.44.10"],
  ["all ports of it", ["get", "www.allowed.test", 8080], "11.22.44.10"],
  ["a name below a wildcard, at its port", ["get", "a.wild.test", 8080], "11.22.44.12"],
  ["a name further below it", ["get", "deep.a.wild.test", 8080], "11.22.44.12"],
  ["another port of that", ["get", "a.wild.test", 80], refused],
  ["the name above a wildcard", ["get", "wild.test", 8080], unnamed],
  ["a name that is not allowed", ["get", "other.test", 80], unnamed],
  ["a name that does not exist", ["get", "absent.test", 80], unnamed],
  ["an address that no name led to", ["get", "11.22.44.11", 80], refused],
  ["an address in a block that is listed", ["get", "203.0.113.5", 80], "203.0.113.5"],
  ["another special address", ["get", "198.51.100.5", 80], refused],
  ["a private address", ["get", "10.9.8.7", 80], refused],
  ["the cloud's metadata", ["get", "169.254.169.254", 80], refused],
  [
    "the address of the host, though a block with it is listed",
    ["get", hostAddress, 7070],
    refused,
  ],
  ["the host's end of its link", ["get", "NAMESERVER", 7070], refused],
  ["loopback, which is its own", ["get", "127.0.0.1", 7070], refused],
  ["a name that leads to a private address", ["look_up", "private.test"], unnamed],
  ["a name that leads to the metadata", ["look_up", "metadata.test"], unnamed],
  ["a name that leads to the host", ["get", "host.test", 7070], refused],
  [
    "a name that leads to a private address that is listed",
    ["get", "listed.test", 80],
    "10.20.30.40",
  ],
  ["another port of that", ["get", "listed.test", 8080], refused],
  ["another DNS server", ["query", "11.22.44.53", "www.allowed.test"], refused],
  ["an address of IPv6", ["connect6", "2001:db8::1"], /^E(NETUNREACH|HOSTUNREACH)$/],
  ["a raw socket", ["raw"], /^EPERM$/],
];

/** What the DNS server of the sandbox answers: a code and the number of records, or the addresses. */
const questions: [what: string, probe: Probe, expected: Finding][] = [
  ["a name that is not allowed", ["query", "NAMESERVER", "other.test"], [5, 0]],
  ["a name that is allowed, in capitals", ["query", "NAMESERVER", "WWW.Allowed.Test"], [0, 1]],
  ["a name that does not exist", ["query", "NAMESERVER", "absent.test"], [3, 0]],
  ["what else an allowed name has", ["query", "NAMESERVER", "www.allowed.test", 16], [0, 0]],
  ["its address of IPv6", ["query", "NAMESERVER", "www.allowed.test", 28], [0, 0]],
  ["a name with a public and a private address", ["look_up", "mixed.test"], ["11.22.44.13"]],
  ["too few bytes for a query", ["send", "NAMESERVER", "00".repeat(11)], { error: "timeout" }],
  [
    "a query with records past counting",
    ["send", "NAMESERVER", `00010000${"ffff".repeat(4)}`],
    { error: "timeout" },
  ],
  [
    "a name with a dot within a label",
    [
      "send",
      "NAMESERVER",
      `000100000001${"0000".repeat(3)}03612e62047465737400${"0001".repeat(2)}`,
    ],
    [5, 0],
  ],
];

suite("a sandbox with an allow-list", () => {
  let rig: Rig;
  let findings: Finding[];
  before(async () => {
    rig = await Rig.open();
    await rig.start();
    await rig.create("one", allow);
    findings = await probeIn(rig, "one", [
      ...[...rows, ...questions].map(([, probe]) => probe),
      ["look_up", "many.test"],
    ]);
  });
  after(async () => await rig[Symbol.asyncDispose]());

  for (const [index, [what, , expected]] of rows.entries()) {
    const isReached = typeof expected === "string" || Array.isArray(expected);
    test(`${isReached ? "gets" : "does not get"} to ${what}`, () => {
      const found = findings[index];
      if (typeof expected === "string") {
        assert.equal(found, `${expected} asked by ${hostAddress}`);
      } else if (expected instanceof RegExp) {
        assert.match((found as { error: string }).error ?? JSON.stringify(found), expected);
      } else assert.deepEqual(found, expected);
    });
  }

  for (const [index, [what, , expected]] of questions.entries()) {
    test(`is told ${JSON.stringify(expected)} of ${what}`, () => {
      assert.deepEqual(findings[rows.length + index], expected);
    });
  }

  test("asks over TCP where an answer does not fit into a datagram", () => {
    assert.equal((findings.at(-1) as string[]).length, 30);
  });
});
