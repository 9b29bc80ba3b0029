import assert from "node:assert/strict";
import { execa } from "execa";
import { test } from "node:test";
import { node, python } from "../support/packages.ts";
import { startTestServer } from "../support/server.ts";

const limits = {
  registries: {},
  timeoutMs: 120_000,
  memoryBytes: 512 * 1024 * 1024,
  maxBytes: 20_000_000,
};

const registries = [
  {
    manager: "npm",
    config: ["config", "get", "registry"],
    standard: "https://registry.npmjs.org/",
    files: [],
    spec: node({
      "package.json": '{"dependencies": {"is-number": "7.0.0"}}',
      "index.mjs": 'import isNumber from "is-number";\nexport const handler = () => isNumber("7");',
    }),
  },
  {
    manager: "pip",
    config: ["config", "get", "global.index-url"],
    standard: "https://pypi.org/simple",
    files: ["files.pythonhosted.org"],
    spec: python({
      "requirements.txt": "six==1.17.0",
      "main.py": "import six\ndef handler(event, context):\n    return six.PY3\n",
    }),
  },
] as const;

for (const { manager, config, standard, files, spec } of registries) {
  test(`${manager} fetches a package from the registry that this machine is set up with`, async (t) => {
    const { stdout, failed } = await execa(manager, config, {
      reject: false,
      timeout: 20_000,
      // npm would leave what it has compiled in the temporary directory.
      env: { NODE_DISABLE_COMPILE_CACHE: "1" },
    });
    const url = failed || stdout.trim() === "" ? standard : stdout.trim();
    const isReached = await fetch(url, { signal: AbortSignal.timeout(10_000) }).then(
      (response) => response.status < 500,
      () => false,
    );
    if (!isReached) return t.skip(`no registry of ${manager} is reached from here`);
    const { hostname } = new URL(url);
    const build = { ...limits, registries: { [manager]: url }, hosts: [hostname, ...files] };
    await using server = await startTestServer({ overrides: { build } });
    const { version } = await server.client.deploy("fetching", spec);
    assert.equal(version.build?.isCached, false);
    const { body } = await server.client.invoke("fetching");
    assert.equal(Buffer.from(body).toString(), "true");
  });
}
