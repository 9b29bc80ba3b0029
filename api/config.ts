import { createHash } from "node:crypto";
import { availableParallelism, tmpdir, totalmem, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { accessSync, constants } from "node:fs";
import { z } from "zod";
import { RunletError } from "../runtime/errors.ts";
import { dataDirectoryOf } from "./schema/data-directory.ts";
import { isLoopback } from "./schema/loopback.ts";

const mebibyte = 1024 * 1024;
const count = z.coerce.number().int().min(1);

const environment = z.object({
  RUNLET_HOST: z.string().min(1).default("127.0.0.1"),
  RUNLET_PORT: z.coerce.number().int().min(0).max(65_535).default(7070),
  RUNLET_AUTH: z.enum(["required", "loopback"]).default("required"),
  RUNLET_DATA_DIR: z.string().min(1).optional(),
  RUNLET_STATE_DIR: z.string().min(1).optional(),
  RUNLET_IMAGES_DIR: z.string().min(1).optional(),
  RUNLET_SECRET_KEY_FILE: z.string().min(1).optional(),
  RUNLET_RUNSC: z.string().min(1).default("runsc"),
  RUNLET_PLATFORM: z.enum(["systrap", "kvm", "ptrace"]).optional(),
  RUNLET_POOL_FLOOR: z.coerce.number().int().min(0).default(2),
  RUNLET_POOL_MAX: z.coerce.number().int().min(0).default(defaultPoolMax()),
  RUNLET_POOL_MAX_AGE_MS: count.default(600_000),
  RUNLET_MAX_STARTS: count.default(2 * availableParallelism()),
  RUNLET_MAX_CONCURRENCY: count.default(Math.max(4, availableParallelism() * 2)),
  RUNLET_QUEUE_LIMIT: z.coerce.number().int().min(0).default(1000),
  RUNLET_QUEUE_TIMEOUT_MS: count.default(30_000),
  RUNLET_MAX_EVENT_BYTES: count.default(6 * mebibyte),
  RUNLET_MAX_ASYNC_EVENT_BYTES: count.default(mebibyte),
  RUNLET_ALLOW_PRIVATE_CALLBACKS: z.enum(["true", "false"]).default("false"),
  RUNLET_MAX_STREAM_BYTES: count.default(200 * mebibyte),
  RUNLET_MAX_STREAMED_REQUEST_BYTES: count.default(200 * mebibyte),
  RUNLET_MAX_CODE_BYTES: count.default(50 * mebibyte),
  RUNLET_BUILD_HOSTS: z
    .string()
    .default("")
    .transform((text) => text.split(",").map((host) => host.trim().toLowerCase()))
    .transform((hosts) => hosts.filter((host) => host !== ""))
    .refine((hosts) => hosts.every((host) => /^[\w.-]+(?::\d{1,5})?$/.test(host)), {
      error:
        "expected names of hosts, each with a port behind a colon or without, and commas between",
    }),
  RUNLET_NPM_REGISTRY: z.url({ protocol: /^https?$/ }).optional(),
  RUNLET_PIP_INDEX_URL: z.url({ protocol: /^https?$/ }).optional(),
  RUNLET_BUILD_TIMEOUT_MS: count.max(900_000).default(240_000),
  RUNLET_BUILD_MEMORY_BYTES: count.min(128 * mebibyte).default(1024 * mebibyte),
  RUNLET_BUILD_MAX_BYTES: count.max(60 * mebibyte).default(60 * mebibyte),
  RUNLET_NETWORK_RANGE: z.cidrv4().optional(),
  RUNLET_DNS_SERVERS: z
    .string()
    .transform((text) => text.split(",").map((server) => server.trim()))
    .pipe(z.array(z.union([z.ipv4(), z.ipv6()])))
    .optional(),
  RUNLET_SANDBOX_STOCK: z.coerce.number().int().min(0).default(0),
  RUNLET_MAX_SANDBOXES: count.default(100),
  RUNLET_MAX_SANDBOX_MEMORY_BYTES: count.default(Math.floor(totalmem() * 0.75)),
  RUNLET_MAX_SNAPSHOTS: count.default(100),
  RUNLET_MAX_SNAPSHOT_BYTES: count.default(10 * 1024 * mebibyte),
  RUNLET_SHUTDOWN_TIMEOUT_MS: count.default(10_000),
  RUNLET_LOG_LEVEL: z
    .enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"])
    .default("info"),
});

/** The effective configuration of a server. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** Who needs a key: everybody, or nobody on a loopback address. */
  readonly auth: "required" | "loopback";
  /** What is kept: the database, code, images. */
  readonly dataDir: string;
  /** What lives as long as the server: bundles, sockets, runsc's own state. Its path is short for the sockets' sake. */
  readonly stateDir: string;
  readonly imagesDir: string;
  /** Holds the key that secrets are sealed with; made at the first start. */
  readonly secretKeyFile: string;
  readonly runsc: string;
  readonly platform: string | undefined;
  /** Containers that each stock keeps however little is asked for. */
  readonly poolFloor: number;
  /** Containers of all stocks and idle warm ones together. */
  readonly poolMax: number;
  readonly poolMaxAgeMs: number;
  /** Containers that may be starting at once. */
  readonly maxStarts: number;
  readonly maxConcurrency: number;
  readonly queueLimit: number;
  readonly queueTimeoutMs: number;
  readonly maxEventBytes: number;
  /** The largest event that is queued for a caller that does not wait. */
  readonly maxAsyncEventBytes: number;
  /** Whether callbacks may be at addresses that are not public, and speak HTTP without TLS. */
  readonly allowPrivateCallbacks: boolean;
  /** Bound of an answer that is streamed. */
  readonly maxStreamBytes: number;
  /** Bound of a request's body that its function reads as it comes. */
  readonly maxStreamedRequestBytes: number;
  readonly maxCodeBytes: number;
  /** What dependencies of code are installed with. */
  readonly build: BuildConfig;
  /** Where the links of sandboxes have their addresses, and whom names are asked of, if it is not the default. */
  readonly network: {
    readonly range: string | undefined;
    readonly dnsServers: readonly string[] | undefined;
  };
  /** Sandboxes that each image's stock keeps once one was opened. */
  readonly sandboxStock: number;
  /** Sandboxes that may be open at once. */
  readonly maxSandboxes: number;
  /** Memory that the open sandboxes may be allowed together. */
  readonly maxSandboxMemoryBytes: number;
  /** Snapshots that may be kept. */
  readonly maxSnapshots: number;
  /** What snapshots may take on the disk together. */
  readonly maxSnapshotBytes: number;
  readonly shutdownTimeoutMs: number;
  readonly logLevel: string;
}

/** How dependencies of code are installed. */
export interface BuildConfig {
  /** The hosts that packages may be fetched from; none means that builds have no network. */
  readonly hosts: readonly string[];
  readonly registries: { readonly npm?: string; readonly pip?: string };
  readonly timeoutMs: number;
  readonly memoryBytes: number;
  /** Bound on code with what it depends on; it has to fit into one frame of the guests' channel. */
  readonly maxBytes: number;
}

/** Reads the configuration from an environment. @throws `invalid_argument` naming each wrong variable. */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, text]) => text !== ""));
  const parsed = environment.safeParse(set);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new RunletError("invalid_argument", `Cannot use the configuration: ${issues.join("; ")}`);
  }
  const values = parsed.data;
  if (values.RUNLET_AUTH === "loopback" && !isLoopback(values.RUNLET_HOST)) {
    throw new RunletError(
      "invalid_argument",
      `Cannot use the configuration: RUNLET_AUTH: loopback is for loopback addresses, and RUNLET_HOST is ${values.RUNLET_HOST}. Leave RUNLET_AUTH away: then keys are required`,
    );
  }
  const dataDir = dataDirectoryOf(env);
  return Object.freeze({
    host: values.RUNLET_HOST,
    port: values.RUNLET_PORT,
    auth: values.RUNLET_AUTH,
    dataDir,
    stateDir: resolve(values.RUNLET_STATE_DIR ?? defaultStateDir(dataDir)),
    imagesDir: resolve(values.RUNLET_IMAGES_DIR ?? join(dataDir, "images")),
    secretKeyFile: resolve(values.RUNLET_SECRET_KEY_FILE ?? join(dataDir, "secret.key")),
    runsc: values.RUNLET_RUNSC,
    platform: values.RUNLET_PLATFORM,
    poolFloor: values.RUNLET_POOL_FLOOR,
    poolMax: values.RUNLET_POOL_MAX,
    poolMaxAgeMs: values.RUNLET_POOL_MAX_AGE_MS,
    maxStarts: values.RUNLET_MAX_STARTS,
    maxConcurrency: values.RUNLET_MAX_CONCURRENCY,
    queueLimit: values.RUNLET_QUEUE_LIMIT,
    queueTimeoutMs: values.RUNLET_QUEUE_TIMEOUT_MS,
    maxEventBytes: values.RUNLET_MAX_EVENT_BYTES,
    maxAsyncEventBytes: values.RUNLET_MAX_ASYNC_EVENT_BYTES,
    allowPrivateCallbacks: values.RUNLET_ALLOW_PRIVATE_CALLBACKS === "true",
    maxStreamBytes: values.RUNLET_MAX_STREAM_BYTES,
    maxStreamedRequestBytes: values.RUNLET_MAX_STREAMED_REQUEST_BYTES,
    maxCodeBytes: values.RUNLET_MAX_CODE_BYTES,
    build: buildConfig(values),
    network: { range: values.RUNLET_NETWORK_RANGE, dnsServers: values.RUNLET_DNS_SERVERS },
    sandboxStock: values.RUNLET_SANDBOX_STOCK,
    maxSandboxes: values.RUNLET_MAX_SANDBOXES,
    maxSandboxMemoryBytes: values.RUNLET_MAX_SANDBOX_MEMORY_BYTES,
    maxSnapshots: values.RUNLET_MAX_SNAPSHOTS,
    maxSnapshotBytes: values.RUNLET_MAX_SNAPSHOT_BYTES,
    shutdownTimeoutMs: values.RUNLET_SHUTDOWN_TIMEOUT_MS,
    logLevel: values.RUNLET_LOG_LEVEL,
  });
}

function buildConfig(values: z.infer<typeof environment>): BuildConfig {
  const { RUNLET_NPM_REGISTRY: npm, RUNLET_PIP_INDEX_URL: pip } = values;
  return {
    hosts: values.RUNLET_BUILD_HOSTS,
    registries: { ...(npm !== undefined && { npm }), ...(pip !== undefined && { pip }) },
    timeoutMs: values.RUNLET_BUILD_TIMEOUT_MS,
    memoryBytes: values.RUNLET_BUILD_MEMORY_BYTES,
    maxBytes: values.RUNLET_BUILD_MAX_BYTES,
  };
}

/** A tenth of the memory, at what an idle container takes. */
function defaultPoolMax(): number {
  return Math.max(4, Math.floor(totalmem() / 10 / (24 * mebibyte)));
}

/** One state directory a data directory, always the same one, so that a restart finds what a crash left. */
function defaultStateDir(dataDir: string): string {
  const key = createHash("sha256").update(dataDir).digest("hex").slice(0, 8);
  return join(
    isWritable("/run") ? "/run" : join(tmpdir(), `runlet-${userInfo().uid}`),
    `runlet-${key}`,
  );
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
