import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { effectiveSettings, loadConfig, settingVariables } from "../../api/config.ts";
import { keyOf, unknownVariables } from "../../api/settings.ts";
import { tempDir } from "../support/temp-dir.ts";
import { runlet } from "./cli/runlet.ts";

test("a flag goes before a variable, that before the file, and that before the default", async () => {
  await using dir = await tempDir();
  const file = dir.file("server.json");
  const content = { port: 1, queueLimit: 2, maxStarts: 3, dnsServers: ["9.9.9.9", "::1"] };
  await writeFile(
    file,
    JSON.stringify({ ...content, dataDir: "/kept", allowPrivateCallbacks: true }),
  );
  const env = { RUNLET_CONFIG: file, RUNLET_PORT: "11", RUNLET_QUEUE_LIMIT: "22", RUNLET_AUTH: "" };
  const flags = { port: { text: "111", place: "--port" } };
  const config = loadConfig(env, flags);
  assert.deepEqual([config.port, config.queueLimit, config.maxStarts], [111, 22, 3]);
  assert.deepEqual([config.auth, config.dataDir], ["required", "/kept"]);
  assert.equal(config.imagesDir, "/kept/images");
  assert.deepEqual(config.network.dnsServers, ["9.9.9.9", "::1"]);
  assert.equal(config.allowPrivateCallbacks, true);
  const settings = new Map(effectiveSettings(env, flags).map((each) => [each.key, each]));
  assert.equal(settings.size, settingVariables.length);
  const placeOf = (key: string): unknown[] => [settings.get(key)?.source, settings.get(key)?.place];
  assert.deepEqual(placeOf("port"), ["flag", "--port"]);
  assert.deepEqual(placeOf("queueLimit"), ["environment", "RUNLET_QUEUE_LIMIT"]);
  assert.deepEqual(placeOf("maxStarts"), ["file", `${file}:maxStarts`]);
  assert.deepEqual(placeOf("auth"), ["default", undefined]);
  assert.equal(settings.get("imagesDir")?.value, "/kept/images");
});

const wrong: [content: string, told: RegExp][] = [
  ['{"port": 65536}', /:port: expected a whole number from 0 to 65535$/],
  ['{"maxStarts": 1.5}', /:maxStarts: expected a whole number of at least 1$/],
  ['{"logLevel": "loud"}', /:logLevel: .*"trace"\|"debug"/],
  [
    '{"prot": 1, "auht": 2}',
    /:prot: there is no such setting; .*:auht: .*settings are host, port,/,
  ],
  ['{"config": "other.json"}', /:config: there is no such setting/],
  ['{"__proto__": 1}', /:__proto__: there is no such setting/],
  ['{"constructor": 1}', /:constructor: there is no such setting/],
  ['{"host": {}}', /:host: expected text, a number/],
  ['{"host": null}', /:host: expected text, a number/],
  ['{"auth": "loopback", "host": "0.0.0.0"}', /:auth: loopback is for .*:host is 0\.0\.0\.0/],
  ["[]", /: expected an object/],
  ['{"npmRegistry": "http://me:hidden@r/", }', /: it is no JSON \(at position/],
];

for (const [content, told] of wrong) {
  test(`a file with ${content} is refused by its place, and nothing secret is told`, async () => {
    await using dir = await tempDir();
    const file = dir.file("server.json");
    await writeFile(file, content);
    assert.throws(
      () => loadConfig({ RUNLET_CONFIG: file }),
      (error: Error) => {
        assert.ok(error.message.startsWith(`Cannot use the configuration: ${file}`), error.message);
        assert.match(error.message, told);
        assert.doesNotMatch(error.message, /hidden/);
        return true;
      },
    );
  });
}

test("a file that is not there is refused by its path", () => {
  assert.throws(() => loadConfig({ RUNLET_CONFIG: "/nowhere.json" }), /\/nowhere\.json: .*ENOENT/);
});

test("variables that no setting has are found, and those of clients are none of them", () => {
  const env = { RUNLET_QUEUE_LIMITS: "1", RUNLET_PORT: "1", RUNLET_API_KEY: "k", HOME: "/" };
  assert.deepEqual(unknownVariables(settingVariables, env), ["RUNLET_QUEUE_LIMITS"]);
  assert.equal(keyOf("RUNLET_PIP_INDEX_URL"), "pipIndexUrl");
});

test("runlet config prints what holds with its source, and no password", async () => {
  const env = { RUNLET_NPM_REGISTRY: "https://me:hidden@registry.example/npm/" };
  const args = ["config", "--set", "queueLimit=50", "--port", "8080"];
  const table = await runlet(args, { env });
  assert.deepEqual([table.exitCode, table.stderr], [0, ""]);
  assert.match(table.stdout, /^queueLimit +50 +flag +--set queueLimit$/m);
  assert.match(table.stdout, /^port +8080 +flag +--port$/m);
  assert.match(
    table.stdout,
    /^npmRegistry +https:\/\/\*\*\*@registry.example\/npm\/ +environment/m,
  );
  const json = await runlet([...args, "--json"], { env });
  assert.doesNotMatch(table.stdout + json.stdout, /hidden/);
  const items = (JSON.parse(json.stdout) as { items: { key: string; value: unknown }[] }).items;
  assert.equal(items.find(({ key }) => key === "queueLimit")?.value, 50);
  const refused = await runlet(["config", "--set", "queueLimits=50", "--set", "port=x"]);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /--set queueLimits: there is no such setting/);
});
