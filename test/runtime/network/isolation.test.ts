import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Finding, type Probe, probeIn, probing } from "./probes.ts";
import { hostAddress, Rig } from "./rig.ts";

const refused = { error: "ECONNREFUSED" };

let rig: Rig;
before(async () => {
  rig = await Rig.open();
  await rig.start();
});
after(async () => await rig[Symbol.asyncDispose]());

test("a list of all names and addresses opens the public Internet and nothing else", async () => {
  await rig.create("all", ["*", "0.0.0.0/0"]);
  const found = await probeIn(rig, "all", [
    ["get", "other.test", 80],
    ["get", "11.22.44.13", 80],
    ["query", "11.22.44.53", "private.test"],
    ["get", "10.9.8.7", 80],
    ["get", "169.254.169.254", 80],
    ["get", "203.0.113.5", 80],
    ["get", hostAddress, 7070],
    ["get", "NAMESERVER", 7070],
  ]);
  await rig.dispose("all");
  assert.deepEqual(found.slice(0, 3), [
    `11.22.44.11 asked by ${hostAddress}`,
    `11.22.44.13 asked by ${hostAddress}`,
    [0, 1],
  ]);
  assert.deepEqual(
    found.slice(3),
    Array.from({ length: 5 }, () => refused),
  );
});

test("an empty list opens nothing", async () => {
  await rig.create("none", []);
  const found = await probeIn(rig, "none", [
    ["get", "11.22.44.10", 80],
    ["query", "NAMESERVER", "www.allowed.test"],
  ]);
  await rig.dispose("none");
  assert.deepEqual(found, [refused, [5, 0]]);
});

test("an address of the host is reached where it is listed itself, at the port that is listed", async () => {
  await rig.create("host", [`${hostAddress}:7070`]);
  await rig.create("other-port", [`${hostAddress}:80`]);
  const probe: Probe = ["get", hostAddress, 7070];
  const found = [
    ...(await probeIn(rig, "host", [probe])),
    ...(await probeIn(rig, "other-port", [probe])),
  ];
  await rig.dispose("host");
  await rig.dispose("other-port");
  assert.deepEqual(found, ["the host", refused]);
});

test("two sandboxes do not reach each other, though their addresses are listed", async () => {
  const { guestAddress, namespacePath } = await rig.create("listener", []);
  const serve = `import socket
s = socket.create_server(("0.0.0.0", 80))
s.settimeout(20)
link, _ = s.accept()
print(link.recv(9), flush=True)
link.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\ninside")`;
  const listener = rig.run("listener", ["python3", "-c", serve]);
  await rig.create("caller", [guestAddress, "198.18.0.0/15"]);
  const [found] = await probeIn(rig, "caller", [["get", guestAddress, 80]]);
  // Only now it is known to have been there to be reached: the host does reach it.
  const reach = `for i in $(seq 100); do exec 2>/dev/null 3<>/dev/tcp/${guestAddress}/80 && break; sleep 0.1; done; printf "from-host" >&3; cat <&3`;
  assert.match(await rig.inside(["bash", "-c", reach]), /inside/);
  assert.match((await listener).stdout, /from-host/);
  assert.deepEqual(found, refused);
  assert.match(namespacePath, /^\/run\/netns\//);
  await rig.dispose("listener");
  await rig.dispose("caller");
});

test("whoever takes the sandbox's namespace over has no other address and no other link", async () => {
  const { namespacePath, guestAddress } = await rig.create("broken", [
    "203.0.113.0/24",
    "11.22.44.10",
  ]);
  const add = (address: string): Promise<string> =>
    rig.inside(["ip", "address", "add", address, "dev", "eth0"], { path: namespacePath });
  await add("11.22.44.99/32");
  await add("198.18.77.77/32");
  const probes: Probe[] = [
    ["get", "203.0.113.5", 80, guestAddress],
    ["get", "203.0.113.5", 80, "11.22.44.99"],
    ["get", "203.0.113.5", 80, "198.18.77.77"],
    ["get", "10.9.8.7", 80, guestAddress],
    ["get", hostAddress, 7070, guestAddress],
    ["get", hostAddress, 7070, "11.22.44.99"],
  ];
  const found = JSON.parse(await rig.inside(probing(probes), { path: namespacePath })) as Finding[];
  await rig.dispose("broken");
  const timeout = { error: "timeout" };
  assert.deepEqual(found, [
    `203.0.113.5 asked by ${hostAddress}`,
    timeout,
    timeout,
    refused,
    refused,
    timeout,
  ]);
});

test("one sandbox has no more connections at once than its share of the host's", async () => {
  const { namespacePath } = await rig.create("greedy", ["203.0.113.0/24"]);
  const script = `import resource, socket
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
links = []
for _ in range(1100):
  link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
  link.connect(("203.0.113.5", 53))
  link.send(b"x")
  links.append(link)
refused = 0
for link in links:
  link.settimeout(0.001)
  try: link.recv(1)
  except ConnectionRefusedError: refused += 1
  except TimeoutError: pass
print(refused)`;
  const refusals = Number(await rig.inside(["python3", "-c", script], { path: namespacePath }));
  await rig.dispose("greedy");
  assert.ok(refusals > 0, `${refusals} were refused`);
});

for (const launch of ["attached", "detached", "console"] as const) {
  test(`a container that is launched ${launch} has the network, and one beside it has none`, async () => {
    await rig.create(launch, ["www.allowed.test"]);
    const probes: Probe[] = [["get", "www.allowed.test", 80]];
    const [found] = await probeIn(rig, launch, probes, { launch });
    await rig.dispose(launch);
    assert.equal(found, `11.22.44.10 asked by ${hostAddress}`);
    const [alone] = await probeIn(rig, "of none", [["get", "11.22.44.10", 80]], { launch });
    assert.deepEqual(alone, { error: "EHOSTUNREACH" });
  });
}

test("a container of the default image finds the DNS server too", async () => {
  await rig.create("default", ["www.allowed.test"]);
  const script = `fetch("http://www.allowed.test").then(async (r) => console.log(await r.text()), (e) => console.log(e.cause))`;
  const { stdout, stderr } = await rig.run("default", ["node", "-e", script], { image: "default" });
  await rig.dispose("default");
  assert.equal(stdout.trim(), `11.22.44.10 asked by ${hostAddress}`, stderr);
});
