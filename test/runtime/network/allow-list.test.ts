import assert from "node:assert/strict";
import { test } from "node:test";
import { AllowList } from "../../../runtime/network/allow-list.ts";

const names: [entries: string[], name: string, ports: "all" | number[] | undefined][] = [
  [["example.com"], "example.com", "all"],
  [["Example.COM."], "example.com", "all"],
  [["example.com"], "www.example.com", undefined],
  [["example.com"], "notexample.com", undefined],
  [["*.example.com"], "a.b.example.com", "all"],
  [["*.example.com"], "example.com", undefined],
  [["*.example.com"], "badexample.com", undefined],
  [["*"], "anything.test", "all"],
  [["example.com:443"], "example.com", [443]],
  [["example.com:443", "*.com:80", "*:22"], "example.com", [443, 80, 22]],
  [["example.com:443", "*.com"], "example.com", "all"],
  [["example.com", "example.com:443"], "example.com", "all"],
  [["10.0.0.0/8"], "example.com", undefined],
  [[], "example.com", undefined],
];
for (const [entries, name, ports] of names) {
  test(`[${entries.join(", ")}] opens ${ports?.toString() ?? "nothing"} at ${name}`, () => {
    const found = new AllowList(entries).portsOf(name);
    assert.deepEqual(found instanceof Set ? [...found] : found, ports);
  });
}

const wrong: [entry: string, reason: RegExp][] = [
  ["", /expected a host name/],
  ["https://example.com", /port/],
  ["example.com/path", /expected a host name/],
  ["exa mple.com", /expected a host name/],
  ["a.*.com", /expected a host name/],
  ["*example.com", /expected a host name/],
  ["x; flush ruleset", /expected a host name/],
  ['a"b', /expected a host name/],
  ["a\nb", /expected a host name/],
  ["10.0.0.1/8", /expected a host name/],
  ["10.0.0", /expected a host name/],
  ["10.0.0.0/33", /expected a host name/],
  ["300.1.1.1", /expected a host name/],
  ["example.com:0", /port/],
  ["example.com:65536", /port/],
  ["example.com:http", /port/],
  ["2001:db8::1", /IPv4 only/],
  ["[2001:db8::1]:80", /IPv4 only/],
  ["127.0.0.1", /never reached/],
  ["224.0.0.1", /never reached/],
  ["0.0.0.0", /never reached/],
];
for (const [entry, reason] of wrong) {
  test(`${JSON.stringify(entry)} is refused`, () => {
    assert.throws(
      () => new AllowList([entry]),
      ({ code, message }: { code: string; message: string }) => {
        assert.match(message, reason);
        return code === "invalid_argument";
      },
    );
  });
}

const leads: [entries: string[], address: string, isAllowed: boolean][] = [
  [[], "93.184.216.34", true],
  [[], "10.1.2.3", false],
  [[], "169.254.169.254", false],
  [["10.1.0.0/16"], "10.1.2.3", true],
  [["10.1.0.0/16:443"], "10.2.2.3", false],
  [["0.0.0.0/0"], "10.1.2.3", false],
  [["8.0.0.0/6"], "10.1.2.3", false],
  [["169.254.169.254"], "169.254.169.254", true],
];
for (const [entries, address, isAllowed] of leads) {
  test(`with [${entries.join(", ")}] a name may${isAllowed ? "" : " not"} lead to ${address}`, () => {
    assert.equal(new AllowList(entries).mayLeadTo(address), isAllowed);
  });
}

test("more entries than a list may have are refused", () => {
  const entries = Array.from({ length: 257 }, (_, index) => `host${index}.test`);
  assert.throws(() => new AllowList(entries), { code: "invalid_argument" });
});
