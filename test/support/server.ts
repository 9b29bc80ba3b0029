import { join } from "node:path";
import { Client } from "../../api/client/client.ts";
import { type Config, loadConfig } from "../../api/config.ts";
import { createLog } from "../../api/log.ts";
import { startServer } from "../../api/server.ts";
import { tempDir } from "./temp-dir.ts";

/** The images that all tests share, so that the default image is built once. */
export const sharedImagesDir = join(import.meta.dirname, "../../node_modules/.cache/runlet/images");

export interface TestServerOptions {
  /** What differs from the default configuration. */
  overrides?: Partial<Config>;
}

/** A server of one test, in this process; disposing it stops it and removes its directories. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly client: Client;
  readonly config: Config;
  /** As the global one, with a path of this server. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** Starts a server on a free port with directories of its own: `await using server = await startTestServer()`. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await tempDir());
  const config: Config = { ...testConfig(dir.path), ...options.overrides };
  const { url } = stack.use(await startServer(config, createLog(config.logLevel)));
  const owned = stack.move();
  return {
    url,
    config,
    client: new Client({ url }),
    fetch: async (path, init) => await fetch(url + path, init),
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  };
}

/** What a test overrides to have its server keep a small pool. */
export const smallPool = { poolFloor: 2, poolMax: 4 };

/** The environment of a server whose directories are all in `directory`. */
export function testEnvironment(directory: string): Record<string, string> {
  return {
    RUNLET_DATA_DIR: join(directory, "d"),
    // Sockets live in it, whose paths are bounded.
    RUNLET_STATE_DIR: join(directory, "s"),
    RUNLET_IMAGES_DIR: process.env["RUNLET_TEST_IMAGES"] || sharedImagesDir,
    RUNLET_PORT: "0",
    // Tests of keys require them.
    RUNLET_AUTH: "loopback",
    RUNLET_LOG_LEVEL: "silent",
    // What runs is what the test has started; tests of the pool ask for one.
    RUNLET_POOL_FLOOR: "0",
    RUNLET_POOL_MAX: "0",
  };
}

function testConfig(directory: string): Config {
  // What a test leaves running is not waited for at its end.
  return loadConfig({ ...testEnvironment(directory), RUNLET_SHUTDOWN_TIMEOUT_MS: "500" });
}
