import { createHash } from "node:crypto";
import { availableParallelism, tmpdir, totalmem, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { accessSync, constants } from "node:fs";
import { z } from "zod";
import { dataDirectoryOf } from "./schema/data-directory.ts";
import { isLoopback } from "./schema/loopback.ts";
import { type Flags, gatherSettings, keyOf, refuse, type Setting } from "./settings.ts";

const mebibyte = 1024 * 1024;
const count = whole(1);

const environment = z.object({
  RUNLET_CONFIG: z.string().optional(),
  RUNLET_HOST: z.string().min(1).default("127.0.0.1"),
  RUNLET_PORT: whole(0, 65_535).default(7070),
  RUNLET_AUTH: z.enum(["required", "loopback"]).default("required"),
  RUNLET_DATA_DIR: z.string().min(1).optional(),
  RUNLET_STATE_DIR: z.string().min(1).optional(),
  RUNLET_IMAGES_DIR: z.string().min(1).optional(),
  RUNLET_SECRET_KEY_FILE: z.string().min(1).optional(),
  RUNLET_RUNSC: z.string().min(1).default("runsc"),
  RUNLET_PLATFORM: z.enum(["systrap", "kvm", "ptrace"]).optional(),
  RUNLET_POOL_FLOOR: whole(0).default(2),
  RUNLET_POOL_MAX: whole(0).default(defaultPoolMax()),
  RUNLET_POOL_MAX_AGE_MS: count.default(600_000),
  RUNLET_MAX_STARTS: count.default(2 * availableParallelism()),
  RUNLET_MAX_CONNECTIONS: count.default(4096),
  RUNLET_MAX_CONCURRENCY: count.default(Math.max(4, availableParallelism() * 2)),
  RUNLET_QUEUE_LIMIT: whole(0).default(1000),
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
  RUNLET_BUILD_TIMEOUT_MS: whole(1, 900_000).default(240_000),
  RUNLET_BUILD_MEMORY_BYTES: whole(128 * mebibyte).default(1024 * mebibyte),
  RUNLET_BUILD_MAX_BYTES: whole(1, 60 * mebibyte).default(60 * mebibyte),
  RUNLET_NETWORK_RANGE: z.cidrv4().optional(),
  RUNLET_DNS_SERVERS: z
    .string()
    .transform((text) => text.split(",").map((server) => server.trim()))
    .pipe(z.array(z.union([z.ipv4(), z.ipv6()])))
    .optional(),
  RUNLET_SANDBOX_STOCK: whole(0).default(0),
  RUNLET_MAX_SANDBOXES: count.default(100),
  RUNLET_MAX_SANDBOX_MEMORY_BYTES: count.default(Math.floor(totalmem() * 0.75)),
  RUNLET_MAX_SNAPSHOTS: count.default(100),
  RUNLET_MAX_SNAPSHOT_BYTES: count.default(10 * 1024 * mebibyte),
  RUNLET_SNAPSHOT_TIMEOUT_MS: count.default(120_000),
  RUNLET_MAX_RECORD_AGE_MS: count.default(30 * 86_400_000),
  RUNLET_MAX_RECORD_BYTES: whole(mebibyte).default(10 * 1024 * mebibyte),
  RUNLET_SHUTDOWN_DELAY_MS: whole(0).default(0),
  RUNLET_SHUTDOWN_TIMEOUT_MS: count.default(10_000),
  RUNLET_WAKEFUL_MS: whole(0, 60_000).default(20),
  RUNLET_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
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
  /** Connections that may be open at once; one more is closed at once. */
  readonly maxConnections: number;
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
  /** How long a sandbox may stand still to be saved, and at the most its copy may take to go on. */
  readonly snapshotTimeoutMs: number;
  /** How long invocations and sandboxes that have ended stay on record. */
  readonly maxRecordAgeMs: number;
  /** How much the record may hold before the oldest invocations go. */
  readonly maxRecordBytes: number;
  /** How long a server that is to end goes on taking requests while it says that it is not ready. */
  readonly shutdownDelayMs: number;
  readonly shutdownTimeoutMs: number;
  /** How long the processors of a virtual machine are kept from halting after the last of a request; 0 is never. */
  readonly wakefulMs: number;
  /** Whom traces are sent to, if anybody. */
  readonly otlpEndpoint: string | undefined;
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

/** The variables that a server reads. */
export const settingVariables: readonly string[] = Object.keys(environment.shape);

/** A setting as it holds, for people to read: nothing secret is in it. */
export interface EffectiveSetting {
  /** Its key in a file. */
  readonly key: string;
  readonly variable: string;
  readonly value: unknown;
  readonly source: Setting["source"] | "default";
  /** Where it stands, unless it is the default. */
  readonly place?: string;
}

/**
 * Reads the configuration: flags go before the environment, and that before the file that `RUNLET_CONFIG` names.
 * @throws `invalid_argument` naming each wrong setting with its place.
 */
export function loadConfig(env: NodeJS.ProcessEnv, flags: Flags = {}): Config {
  const { values, settings } = readSettings(env, flags);
  return configOf(values, { ...env, RUNLET_DATA_DIR: settings.get("RUNLET_DATA_DIR")?.text });
}

/** Each setting as it holds, and where it comes from. @throws as {@link loadConfig} does. */
export function effectiveSettings(env: NodeJS.ProcessEnv, flags: Flags = {}): EffectiveSetting[] {
  const { values, settings } = readSettings(env, flags);
  const { dataDir, stateDir, imagesDir, secretKeyFile } = loadConfig(env, flags);
  const derived: Readonly<Record<string, unknown>> = {
    RUNLET_DATA_DIR: dataDir,
    RUNLET_STATE_DIR: stateDir,
    RUNLET_IMAGES_DIR: imagesDir,
    RUNLET_SECRET_KEY_FILE: secretKeyFile,
  };
  return settingVariables.map((variable): EffectiveSetting => {
    const value = derived[variable] ?? values[variable as keyof typeof values] ?? null;
    const set = settings.get(variable);
    const setting = { key: keyOf(variable), variable, value: withoutPassword(value) };
    if (set === undefined) return { ...setting, source: "default" };
    return { ...setting, source: set.source, place: set.place };
  });
}

type Values = z.infer<typeof environment>;

function readSettings(
  env: NodeJS.ProcessEnv,
  flags: Flags,
): { values: Values; settings: ReadonlyMap<string, Setting> } {
  const settings = gatherSettings(settingVariables, env, flags);
  const place = (variable: string): string => settings.get(variable)?.place ?? variable;
  const texts = Object.fromEntries([...settings].map(([variable, { text }]) => [variable, text]));
  const parsed = environment.safeParse(texts);
  if (!parsed.success) {
    throw refuse(
      parsed.error.issues.map((issue) => `${place(String(issue.path[0]))}: ${issue.message}`),
    );
  }
  const { RUNLET_AUTH: auth, RUNLET_HOST: host } = parsed.data;
  if (auth === "loopback" && !isLoopback(host)) {
    throw refuse([
      `${place("RUNLET_AUTH")}: loopback is for loopback addresses, and ${place("RUNLET_HOST")} is ${host}. Leave ${place("RUNLET_AUTH")} away: then keys are required`,
    ]);
  }
  return { values: parsed.data, settings };
}

function configOf(values: Values, env: NodeJS.ProcessEnv): Config {
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
    maxConnections: values.RUNLET_MAX_CONNECTIONS,
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
    snapshotTimeoutMs: values.RUNLET_SNAPSHOT_TIMEOUT_MS,
    maxRecordAgeMs: values.RUNLET_MAX_RECORD_AGE_MS,
    maxRecordBytes: values.RUNLET_MAX_RECORD_BYTES,
    shutdownDelayMs: values.RUNLET_SHUTDOWN_DELAY_MS,
    shutdownTimeoutMs: values.RUNLET_SHUTDOWN_TIMEOUT_MS,
    wakefulMs: values.RUNLET_WAKEFUL_MS,
    otlpEndpoint: values.RUNLET_OTLP_ENDPOINT,
    logLevel: values.RUNLET_LOG_LEVEL,
  });
}

function buildConfig(values: Values): BuildConfig {
  const { RUNLET_NPM_REGISTRY: npm, RUNLET_PIP_INDEX_URL: pip } = values;
  return {
    hosts: values.RUNLET_BUILD_HOSTS,
    registries: { ...(npm !== undefined && { npm }), ...(pip !== undefined && { pip }) },
    timeoutMs: values.RUNLET_BUILD_TIMEOUT_MS,
    memoryBytes: values.RUNLET_BUILD_MEMORY_BYTES,
    maxBytes: values.RUNLET_BUILD_MAX_BYTES,
  };
}

/** A whole number, and what to say of any other. */
function whole(least: number, most = Number.MAX_SAFE_INTEGER): z.ZodCoercedNumber {
  const bounds =
    most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  const error = `expected a whole number ${bounds}`;
  return z.coerce.number({ error }).int({ error }).min(least, { error }).max(most, { error });
}

/** Addresses of registries may hold a name and a password. */
function withoutPassword(value: unknown): unknown {
  const url = typeof value === "string" ? URL.parse(value) : null;
  if (url === null || (url.username === "" && url.password === "")) return value;
  url.username = "***";
  url.password = "";
  return url.href;
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
