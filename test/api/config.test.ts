import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { loadConfig } from "../../api/config.ts";

test("without any variable the configuration is the one that the README promises", () => {
  const config = loadConfig({ HOME: "/root" });
  assert.deepEqual([config.host, config.port, config.runsc], ["127.0.0.1", 7070, "runsc"]);
  assert.equal(config.imagesDir, join(config.dataDir, "images"));
  assert.deepEqual([config.queueLimit, config.queueTimeoutMs], [1000, 30_000]);
  assert.ok(config.maxConcurrency >= 4);
  assert.deepEqual([config.maxEventBytes, config.maxCodeBytes], [6 * 1024 ** 2, 50 * 1024 ** 2]);
  assert.deepEqual([config.shutdownTimeoutMs, config.logLevel], [10_000, "info"]);
  assert.deepEqual([config.platform, config.otlpEndpoint], [undefined, undefined]);
});

test("each variable is taken, an empty one as if it were not set", () => {
  const config = loadConfig({
    RUNLET_HOST: "::1",
    RUNLET_PORT: "0",
    RUNLET_DATA_DIR: "data",
    RUNLET_STATE_DIR: "/s",
    RUNLET_IMAGES_DIR: "/i",
    RUNLET_RUNSC: "/opt/runsc",
    RUNLET_PLATFORM: "kvm",
    RUNLET_MAX_CONCURRENCY: "7",
    RUNLET_QUEUE_LIMIT: "",
    RUNLET_OTLP_ENDPOINT: "http://localhost:4318",
    RUNLET_LOG_LEVEL: "silent",
  });
  assert.deepEqual([config.host, config.port], ["::1", 0]);
  assert.equal(config.dataDir, join(process.cwd(), "data"));
  assert.deepEqual([config.stateDir, config.imagesDir], ["/s", "/i"]);
  assert.deepEqual([config.runsc, config.platform], ["/opt/runsc", "kvm"]);
  assert.deepEqual([config.maxConcurrency, config.queueLimit], [7, 1000]);
  assert.deepEqual([config.otlpEndpoint, config.logLevel], ["http://localhost:4318", "silent"]);
});

test("builds have no network unless hosts are named, each with a port or without", () => {
  assert.deepEqual(loadConfig({}).build.hosts, []);
  const env = {
    RUNLET_BUILD_HOSTS: "Registry.example, 127.0.0.1:4873,",
    RUNLET_NPM_REGISTRY: "http://r/",
  };
  const { hosts, registries } = loadConfig(env).build;
  assert.deepEqual(hosts, ["registry.example", "127.0.0.1:4873"]);
  assert.deepEqual(registries, { npm: "http://r/" });
});

test("networks have the defaults of the mechanism unless they are set, and what is wrong is named", () => {
  assert.deepEqual(loadConfig({}).network, { range: undefined, dnsServers: undefined });
  const env = { RUNLET_NETWORK_RANGE: "10.200.0.0/16", RUNLET_DNS_SERVERS: "9.9.9.9, ::1" };
  const { range, dnsServers } = loadConfig(env).network;
  assert.deepEqual([range, dnsServers], ["10.200.0.0/16", ["9.9.9.9", "::1"]]);
  for (const [name, text] of Object.entries({
    NETWORK_RANGE: "10.0.0.0",
    DNS_SERVERS: "dns.test",
  })) {
    assert.throws(() => loadConfig({ [`RUNLET_${name}`]: text }), new RegExp(`RUNLET_${name}`));
  }
});

test("the data directory follows XDG_DATA_HOME", () => {
  assert.equal(loadConfig({ XDG_DATA_HOME: "/x" }).dataDir, "/x/runlet");
});

test("a data directory has one state directory, short and always the same, and no other's", () => {
  const [a, again, b] = ["/a", "/a", "/b"].map(
    (directory) => loadConfig({ RUNLET_DATA_DIR: directory }).stateDir,
  );
  assert.equal(a, again);
  assert.notEqual(a, b);
  assert.ok((a ?? "").length < 60);
});

const wrong: [name: string, value: string][] = [
  ["RUNLET_PORT", "http"],
  ["RUNLET_PORT", "65536"],
  ["RUNLET_PLATFORM", "docker"],
  ["RUNLET_MAX_CONCURRENCY", "0"],
  ["RUNLET_MAX_CONCURRENCY", "1.5"],
  ["RUNLET_QUEUE_LIMIT", "-1"],
  ["RUNLET_ALLOW_PRIVATE_CALLBACKS", "yes"],
  ["RUNLET_LOG_LEVEL", "loud"],
  ["RUNLET_BUILD_HOSTS", "https://registry.example"],
  ["RUNLET_BUILD_HOSTS", "a.example,*"],
  ["RUNLET_NPM_REGISTRY", "registry.example"],
  ["RUNLET_PIP_INDEX_URL", "file:///packages"],
  ["RUNLET_BUILD_MAX_BYTES", "999999999"],
];

for (const [name, value] of wrong) {
  test(`${name}=${value} is refused by its name`, () => {
    assert.throws(() => loadConfig({ [name]: value }), {
      code: "invalid_argument",
      message: new RegExp(`${name}: `),
    });
  });
}

test("all wrong variables are named at once", () => {
  const env = { RUNLET_PORT: "x", RUNLET_QUEUE_LIMIT: "x" };
  assert.throws(() => loadConfig(env), /RUNLET_PORT: .*RUNLET_QUEUE_LIMIT: /);
});

test("the README names every variable that is read, and no other", async () => {
  const root = join(import.meta.dirname, "../..");
  const source = await readFile(join(root, "api/config.ts"), "utf8");
  const readme = await readFile(join(root, "README.md"), "utf8");
  const section = /## Configuration\n([^]*?)\n## /.exec(readme)?.[1] ?? "";
  const read = [...source.matchAll(/^ {2}(RUNLET_\w+):/gm)].map(([, name = ""]) => name);
  const told = [...section.matchAll(/RUNLET_\w+/g)].map(([name]) => name);
  assert.ok(read.length > 10);
  assert.deepEqual([...new Set(told)].toSorted(), read.toSorted());
});
