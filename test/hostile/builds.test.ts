import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import { ApiError } from "../../api/client/client.ts";
import type { FunctionSpecInput } from "../../api/schema/function.ts";
import { node } from "../support/packages.ts";
import { startRegistry } from "../support/registry.ts";
import { startTestServer } from "../support/server.ts";
import { moveIn, watchHost } from "./bystanders.ts";
import { assertSeen, guestSource, placesOf } from "./guest.ts";

const mebibyte = 1024 * 1024;
const secret = "open-sesame-1b2c";

await using stack = new AsyncDisposableStack();
const registry = stack.use(await startRegistry());
const build = {
  hosts: [registry.host],
  registries: { npm: registry.npm },
  timeoutMs: 60_000,
  memoryBytes: 384 * mebibyte,
  maxBytes: mebibyte,
};
const server = stack.use(await startTestServer({ overrides: { poolMax: 2, build } }));
/** For scripts that go on until they are ended. */
const hasty = stack.use(
  await startTestServer({ overrides: { build: { ...build, timeoutMs: 4_000 } } }),
);
const host = stack.use(await watchHost());
const neighbours = stack.use(await moveIn(server));
for (const { client } of [server, hasty]) await client.setSecret("of-the-function", secret);
const owned = stack.move();
after(async () => await owned.disposeAsync());

const places = placesOf(server, host);

/** What an install script does, and what has to come of it. */
interface Script {
  readonly tries: string;
  readonly run: string;
  /** Whether it is for the server that waits for no build for long. */
  readonly isEndless?: boolean;
  /** What a guest among them saw, as for the programs of the corpus. */
  readonly sees?: Readonly<Record<string, unknown>>;
  /** The code that its deployment is refused with, and why; none where that is none of its business. */
  readonly refused?: { readonly code: RegExp; readonly why: RegExp };
  readonly log?: RegExp;
}

const tooLarge = { code: /^payload_too_large$/, why: /1048576 bytes \(RUNLET_BUILD_MAX_BYTES\)/ };

const scripts: readonly Script[] = [
  {
    tries: "to start processes and threads without end",
    run: guest("fork-bomb"),
    refused: { code: /^invalid_argument$/, why: /ran out of memory|exited with code|was killed/ },
  },
  {
    tries: "to fork in each fork",
    run: guest("endless-fork-bomb"),
    isEndless: true,
    refused: {
      code: /^(?:deadline_exceeded|invalid_argument)$/,
      why: /not done within 4000 ms|ran out of memory|exited with code|was killed/,
    },
  },
  {
    tries: "to fill all that can be written",
    run: `${guest("disk-filler")}; rm /tmp/filler`,
    sees: {},
  },
  {
    tries: "to install a file without an end",
    run: "truncate -s 1T node_modules/.large",
    refused: tooLarge,
  },
  {
    tries: "to write what is installed itself, without an end",
    run: "cat /dev/zero > /proc/1/fd/1",
    isEndless: true,
    refused: { code: /^(?:payload_too_large|deadline_exceeded)$/, why: /RUNLET_BUILD_/ },
  },
  {
    tries: "to go on past its time, deaf to signals",
    run: guest("deaf"),
    isEndless: true,
    refused: { code: /^deadline_exceeded$/, why: /not done within 4000 ms/ },
  },
  {
    tries: "to leave processes that outlive it",
    run: guest("left-behind"),
    log: /^left$/m,
  },
  {
    tries: "to change what other builds share with it",
    run: guest("build-tamper"),
    sees: {},
  },
  {
    tries: "raw sockets, the host's loopback and addresses, and the cloud's metadata",
    run: guest("sockets"),
    sees: { name: "no name" },
  },
  {
    tries: "the same by the proxy to registries",
    run: guest("build-proxy"),
    sees: new Proxy({}, { get: () => "403" }),
  },
  {
    tries: "to read secrets out of its environment and of what runs beside it",
    run: "env; cat /proc/*/environ /proc/*/cmdline | tr '\\\\0' '\\\\n'; ls -a / /run /run/build /tmp /var/task; grep -r sesame /tmp /var /run 2>&1 | head; echo looked",
    log: /^looked$/m,
  },
];

suite("an install script", { concurrency: 2 }, () => {
  for (const [index, { tries, run, isEndless = false, sees, refused, log }] of scripts.entries()) {
    test(`that tries ${tries} harms nobody`, async () => {
      const { client } = isEndless ? hasty : server;
      const spec = { ...withScript(run), secrets: { WORD: "of-the-function" } };
      const deployed = await client.deploy(`hostile-${index}`, spec).catch(asRefusal);
      const isRefused = deployed instanceof ApiError;
      assert.equal(isRefused, refused !== undefined, isRefused ? deployed.message : "deployed");
      if (isRefused && refused !== undefined) {
        assert.match(deployed.code, refused.code, deployed.message);
        assert.match(deployed.message, refused.why);
      }
      const id = isRefused ? deployed.problem.invocationId : deployed.version.build?.invocationId;
      const { stdout, stderr } = await client.invocation(id ?? "");
      assert.equal(stdout, "");
      assert.ok(stderr.length < 1.1 * mebibyte);
      assert.doesNotMatch(stderr, /open-sesame|RUNLET_/);
      if (log !== undefined) assert.match(stderr, log);
      if (sees !== undefined) assertSeen(seenIn(stderr), sees);
      await neighbours.unharmed();
      host.unharmed();
    });
  }
});

test("what they have left behind is nothing, and others build as before", async () => {
  const { version } = await server.client.deploy("honest", withScript("echo honest"));
  assert.equal(version.build?.isCached, false);
  const { body } = await server.client.invoke("honest");
  assert.equal(Buffer.from(body).toString(), "hello");
});

/** A shell's command that runs a hostile program. */
function guest(name: string): string {
  const source = Buffer.from(guestSource(name)).toString("base64");
  return `echo ${source} | base64 -d > /tmp/guest.py; python3 /tmp/guest.py '${places}'`;
}

/** Code that has a script run when what it depends on is installed. */
function withScript(postinstall: string): FunctionSpecInput {
  return {
    ...node({
      "package.json": JSON.stringify({
        dependencies: { greeting: "file:./greeting" },
        scripts: { postinstall },
      }),
      "index.mjs": 'import { word } from "greeting";\nexport const handler = () => word;',
      "greeting/package.json": '{"name": "greeting", "version": "1.0.0", "exports": "./index.mjs"}',
      "greeting/index.mjs": 'export const word = "hello";',
    }),
    dependencies: "install-with-scripts",
  };
}

function asRefusal(error: unknown): ApiError {
  assert.ok(error instanceof ApiError, String(error));
  return error;
}

/** The line of JSON that a guest tells what it saw by. */
function seenIn(log: string): object {
  const line = log.split("\n").find((each) => each.startsWith("{"));
  assert.ok(line, log.slice(-2000));
  return JSON.parse(line) as object;
}
