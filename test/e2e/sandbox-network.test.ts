import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import type { Sandbox } from "../../api/client/sandbox.ts";
import type { SandboxSpecInput } from "../../api/schema/sandbox.ts";
import { poll } from "../../runtime/deadline.ts";
import { type Finding, type Probe, probing } from "../runtime/network/probes.ts";
import { hostAddress, Rig } from "../runtime/network/rig.ts";
import { startNetworkedServer } from "../support/networked-server.ts";
import { problemOf } from "../support/problem.ts";

await using stack = new AsyncDisposableStack();
const rig = stack.use(await Rig.open());
const server = stack.use(await startNetworkedServer(rig));
const owned = stack.move();
after(async () => await owned.disposeAsync());
const { client } = server;
const small = { memoryBytes: 128 * 1024 * 1024 };
const refused = { error: "ECONNREFUSED" };
const nothing = { links: [], namespaces: [], rules: "" };

async function opened(allow: string[], spec: SandboxSpecInput = {}): Promise<Sandbox> {
  return await client.sandboxes.open({ ...small, ...spec, network: { allow } });
}

/** Tries all probes in a sandbox; answers what came of each. */
async function tried(box: Sandbox, probes: readonly Probe[]): Promise<Finding[]> {
  const { stdout, stderr } = await box.commands.run({ args: probing(probes) });
  assert.notEqual(stdout.text, "", stderr.text);
  return JSON.parse(stdout.text) as Finding[];
}

function webOf(address: string): string {
  return `${address} asked by ${hostAddress}`;
}

/** Nothing of any sandbox is there but the rules for all. */
async function assertBare(): Promise<void> {
  const { links, namespaces, rules } = await rig.leftovers();
  assert.deepEqual([links, namespaces], [[], []]);
  assert.doesNotMatch(rules, /from-rl|names-rl|elements = \{ "rl/);
}

async function isBare(): Promise<true | undefined> {
  const { links, namespaces } = await rig.leftovers();
  return links.length + namespaces.length === 0 || undefined;
}

/** What a sandbox tries, what it is told, by what it was opened with. */
const lists: [allow: string[], rows: [what: string, probe: Probe, told: Finding][]][] = [
  [
    ["www.allowed.test", "*.wild.test:80", "11.22.44.12/31", "listed.test", "private.test"],
    [
      ["a host by its name", ["get", "www.allowed.test", 80], webOf("11.22.44.10")],
      ["all of its ports", ["get", "www.allowed.test", 8080], webOf("11.22.44.10")],
      ["one below a name", ["get", "a.wild.test", 80], webOf("11.22.44.12")],
      ["an address in a block", ["get", "11.22.44.13", 80], webOf("11.22.44.13")],
      [
        "another host",
        ["get", "other.test", 80],
        { error: "name: Temporary failure in name resolution" },
      ],
      ["another address", ["get", "11.22.44.11", 80], refused],
      ["a private address", ["get", "10.9.8.7", 80], refused],
      ["a name that leads to one", ["query", "NAMESERVER", "private.test"], [0, 0]],
      ["the cloud's metadata", ["get", "169.254.169.254", 80], refused],
      ["the host", ["get", hostAddress, 7070], refused],
      ["the host by its end of the link", ["get", "NAMESERVER", 7070], refused],
      ["the name server, for a listed name", ["query", "NAMESERVER", "www.allowed.test"], [0, 1]],
      ["the name server, for another", ["query", "NAMESERVER", "other.test"], [5, 0]],
      ["another name server", ["query", "11.22.44.53", "www.allowed.test"], refused],
    ],
  ],
  [
    ["10.0.0.0/8", "169.254.169.254:80", `${hostAddress}:7070`, "private.test"],
    [
      ["a private address that is listed", ["get", "10.9.8.7", 80], webOf("10.9.8.7")],
      ["a name that leads to one", ["get", "private.test", 80], webOf("10.9.8.7")],
      [
        "a link-local address that is listed",
        ["get", "169.254.169.254", 80],
        webOf("169.254.169.254"),
      ],
      ["another port of it", ["get", "169.254.169.254", 8080], refused],
      ["the host where it is listed", ["get", hostAddress, 7070], "the host"],
      ["a public address", ["get", "11.22.44.10", 80], refused],
    ],
  ],
  [
    ["*", "0.0.0.0/0"],
    [
      ["any public host", ["get", "other.test", 80], webOf("11.22.44.11")],
      ["any public address", ["get", "11.22.44.12", 80], webOf("11.22.44.12")],
      ["a private address", ["get", "10.9.8.7", 80], refused],
      ["the cloud's metadata", ["get", "169.254.169.254", 80], refused],
      ["the host", ["get", hostAddress, 7070], refused],
    ],
  ],
];

suite("a sandbox with a network", () => {
  test("is refused with what the host lacks, and one without a network is not", async () => {
    await rig.forward(false);
    const problem = await problemOf(opened(["www.allowed.test"]));
    assert.deepEqual([problem.code, problem.status], ["unavailable", 503]);
    assert.match(problem.detail, /the host forwards no packets.*sysctl/);
    assert.deepEqual(await rig.leftovers(), nothing);
    await using box = await client.sandboxes.open(small);
    assert.deepEqual(await tried(box, [["get", "11.22.44.10", 80]]), [{ error: "EHOSTUNREACH" }]);
    await rig.forward(true);
  });

  for (const [allow, rows] of lists) {
    test(`of ${allow.join(", ")} gets to these and to nothing else`, async () => {
      {
        await using box = await opened(allow);
        assert.deepEqual((await box.get()).network, { allow });
        const probes = rows.map(([, probe]) => probe);
        const found = await tried(box, probes);
        assert.deepEqual(
          rows.map(([what], at) => [what, found[at]]),
          rows.map(([what, , told]) => [what, told]),
        );
      }
      await assertBare();
    });
  }

  test("is reached by its ports, and keeps its network when it is paused and goes on", async () => {
    await using box = await opened(["www.allowed.test:80"]);
    const fetching = `require("http").createServer(async (_, response) => {
      response.end(await (await fetch("http://www.allowed.test/")).text());
    }).listen(8000, "127.0.0.1", () => console.log("listens"));`;
    const { id } = await box.commands.start({ args: ["node", "-e", fetching] });
    for await (const event of box.commands.follow(id)) if (event.type === "output") break;
    const fetched = async (): Promise<string> => await (await box.ports.fetch(8000, "/")).text();
    assert.equal(await fetched(), webOf("11.22.44.10"));
    await box.pause();
    await box.resume();
    assert.equal(await fetched(), webOf("11.22.44.10"));
  });

  test("is neither saved nor forked, and goes on", async () => {
    await using box = await opened(["www.allowed.test:80"]);
    for (const ask of [async () => await box.snapshot(), async () => await box.fork()]) {
      const { code, status, detail } = await problemOf(ask());
      assert.deepEqual([code, status], ["failed_precondition", 409]);
      assert.match(detail, /it has a network, whose connections and addresses no copy can have/);
    }
    assert.deepEqual((await client.snapshots()).items, []);
    assert.deepEqual(await tried(box, [["get", "www.allowed.test", 80]]), [webOf("11.22.44.10")]);
  });

  test("leaves nothing, however it ends or fails to be opened", async () => {
    const ends: [reason: string, end: (box: Sandbox) => Promise<unknown>][] = [
      ["timeout", async (box) => await box.update({ timeoutMs: 1000 })],
      [
        "exited",
        async ({ commands }) =>
          await commands.run({ command: "kill -KILL 1", user: "root" }).catch(() => 0),
      ],
    ];
    const endings = ends.map(async ([reason, end]) => {
      const box = await opened(["*"]);
      await end(box);
      const isOver = async (): Promise<true | undefined> =>
        (await box.get()).state === "ended" || undefined;
      await poll("see it end", isOver, { timeoutMs: 10_000 });
      assert.equal((await box.get()).endReason, reason);
    });
    await Promise.all(endings);
    const { code } = await problemOf(opened(["*"], { user: "nobody-here" }));
    assert.equal(code, "invalid_argument");
    // One that was never open is removed behind the answer.
    await poll("see it go", isBare, { timeoutMs: 10_000 });
    await assertBare();
  });

  test("that a killed server had is removed by the next one, whose own go with it", async () => {
    await opened(["*"]);
    server.kill("SIGKILL");
    await server[Symbol.asyncDispose]();
    const left = await rig.leftovers();
    assert.deepEqual([left.links.length, left.namespaces.length], [1, 1]);
    {
      await using next = await startNetworkedServer(rig);
      const { id } = await next.client.createSandbox({ ...small, network: { allow: ["*"] } });
      const { links, namespaces } = await rig.leftovers();
      assert.deepEqual([links.length, namespaces.length], [1, 1]);
      assert.ok(namespaces[0]?.endsWith(id));
    }
    assert.deepEqual(await rig.leftovers(), nothing);
  });
});
