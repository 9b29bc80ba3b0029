import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { probeIn } from "./probes.ts";
import { hostAddress, Rig } from "./rig.ts";

const nothing = { links: [], namespaces: [], rules: "" };

suite("a network", () => {
  test("leaves nothing when it is disposed, and nor does the machine", async () => {
    await using rig = await Rig.open();
    await rig.start();
    assert.deepEqual(await rig.leftovers(), nothing, "nothing is made before it is asked for");
    await rig.create("first", ["www.allowed.test"]);
    const { rules: rulesOfOne } = await rig.leftovers();
    await rig.create("second", ["www.allowed.test", "10.0.0.0/8"]);
    await probeIn(rig, "second", [["get", "www.allowed.test", 80]]);
    await rig.dispose("second");
    const left = await rig.leftovers();
    assert.equal(left.rules, rulesOfOne);
    assert.equal(left.links.length, 1);
    assert.equal(left.namespaces.length, 1);
    await rig.close();
    assert.deepEqual(await rig.leftovers(), nothing);
  });

  test("is made beside others at once, and goes without one whose name begins with its own", async () => {
    await using rig = await Rig.open();
    await rig.start();
    const ids = ["a", "a-b", "ab", "b"];
    const facts = await Promise.all(
      ids.map(async (id) => await rig.create(id, ["www.allowed.test"])),
    );
    assert.equal(new Set(facts.map(({ guestAddress }) => guestAddress)).size, ids.length);
    await rig.dispose("a");
    await rig.dispose("a");
    const { links, namespaces } = await rig.leftovers();
    assert.deepEqual([links.length, namespaces.length], [3, 3]);
    const [found] = await probeIn(rig, "ab", [["get", "www.allowed.test", 80]]);
    assert.equal(found, `11.22.44.10 asked by ${hostAddress}`);
    await rig.close();
    assert.deepEqual(await rig.leftovers(), nothing);
  });

  test("that a killed process left is removed by the next one of its directory, and other rules are not", async () => {
    await using rig = await Rig.open();
    await rig.inside(["nft", "add table inet somebodys"]);
    await rig.start();
    await rig.create("one", ["*"]);
    await rig.create("two", ["*"]);
    const running = assert.rejects(rig.run("one", ["sleep", "600"]));
    await rig.kill();
    await running;
    const { links, namespaces } = await rig.leftovers();
    assert.equal(links.length, 2);
    assert.equal(namespaces.length, 2);
    await rig.start();
    const left = await rig.leftovers();
    assert.deepEqual(left, { ...nothing, rules: left.rules });
    assert.match(left.rules, /^table inet somebodys \{\s*\}$/);
    await rig.create("one", ["www.allowed.test"]);
    const [found] = await probeIn(rig, "one", [["get", "www.allowed.test", 80]]);
    assert.equal(found, `11.22.44.10 asked by ${hostAddress}`);
    await rig.close();
  });

  test("is refused with what is wrong with its list or its name, and nothing is made", async () => {
    await using rig = await Rig.open();
    await rig.start();
    await assert.rejects(rig.create("x", ["http://a"]), { code: "invalid_argument" });
    await assert.rejects(rig.create("../x", []), { code: "invalid_argument" });
    assert.deepEqual(await rig.leftovers(), nothing);
    await rig.create("x", []);
    await assert.rejects(rig.create("x", []), {
      code: "invalid_argument",
      message: /there is one/,
    });
    await rig.dispose("x");
    await rig.create("x", []);
    await rig.dispose("x");
  });
});

test("links have addresses that no interface has, and where there are none the error says so", async () => {
  await using rig = await Rig.open();
  await rig.inside(["ip", "address", "add", "198.18.0.1/32", "dev", "lo"]);
  await rig.start("198.18.0.0/30");
  assert.equal((await rig.create("first", [])).guestAddress, "198.18.0.3");
  await assert.rejects(rig.create("second", []), {
    code: "resource_exhausted",
    message: /no addresses are free in 198\.18\.0\.0\/30/,
  });
  await rig.dispose("first");
  assert.equal((await rig.create("second", [])).guestAddress, "198.18.0.3");
  await rig.close();
  assert.deepEqual(await rig.leftovers(), nothing);
});

suite("a host that can give no network says why, and can once it is mended:", () => {
  const rows: [what: string, breaking: string, mending: string, says: RegExp][] = [
    [
      "it forwards nothing",
      "echo 0 >/proc/sys/net/ipv4/ip_forward",
      "echo 1 >/proc/sys/net/ipv4/ip_forward",
      /forwards no packets.*sysctl -w net\.ipv4\.ip_forward=1/,
    ],
    [
      "its firewall drops what it forwards",
      "nft 'table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }'",
      "for s in i o; do nft add rule ip filter FORWARD ${s}ifname '\"rl*\"' accept; done",
      /firewall drops.*-I FORWARD -i rl\+ -j ACCEPT/,
    ],
    [
      "its routes lead to the range of the links",
      "ip route add 198.19.0.0/16 via 11.22.33.1",
      "ip route delete 198.19.0.0/16",
      /a route to 198\.19\.0\.0\/16, which is in the range 198\.18\.0\.0\/15/,
    ],
  ];
  for (const [what, breaking, mending, says] of rows) {
    test(what, async () => {
      await using rig = await Rig.open();
      await rig.start();
      const before = await rig.leftovers();
      await rig.inside(["sh", "-c", breaking]);
      const error = await rig.create("x", []).catch((reason: unknown) => reason);
      assert.match((error as Error).message, says);
      const after = await rig.leftovers();
      assert.deepEqual(
        [after.links.length, after.namespaces],
        [before.links.length, before.namespaces],
      );
      await rig.inside(["sh", "-c", mending]);
      await rig.create("x", ["www.allowed.test"]);
      const [found] = await probeIn(rig, "x", [["get", "www.allowed.test", 80]]);
      assert.equal(found, `11.22.44.10 asked by ${hostAddress}`);
      await rig.close();
    });
  }
});
