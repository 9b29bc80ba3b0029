import { z } from "@hono/zod-openapi";
import { environment, momentUs, pageLimit, pageOf, snapshotId } from "./common.ts";
import { keyId } from "./key.ts";
import { limits } from "./limits.ts";

export const sandboxId = z.uuid().openapi({
  description: "Id of a sandbox",
  example: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
});

/** An account inside a sandbox, by name or number. */
export const sandboxUser = z
  .string()
  .regex(/^[a-z_0-9][a-z0-9_-]{0,31}$/, { error: "expected the name or number of an account" })
  .openapi({ description: "Account inside, by name or number", example: "runlet" });

export const sandboxPath = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[^\0]*$/, { error: "expected no NUL character" })
  .openapi({
    description:
      "Path inside; a relative one begins at the working directory, ~ at the user's home",
    example: "notes/today.txt",
  });

const metadataName = /^[\w.-]{1,64}$/;
const metadataError = { error: "expected letters, digits, . _ -" };

export const metadata = z
  .record(z.string().regex(metadataName, metadataError), z.string().max(1024))
  .refine((all) => Object.keys(all).length <= 50, { error: "expected at most 50 entries" })
  .openapi({ description: "Whatever helps to find it again", example: { session: "42" } });

export const durationMs = z
  .number()
  .int()
  .min(1000)
  .max(7 * 86_400_000);

const settings = {
  image: z.string().min(1).max(63).default("default").openapi({
    description: "Image that it starts from; it needs python3",
  }),
  env: environment.default({}).openapi({ description: "Environment of all that is run in it" }),
  user: sandboxUser.default("runlet"),
  cwd: sandboxPath.optional().openapi({
    description:
      "Directory that commands run in and relative paths begin at; the user's home by default",
  }),
  timeoutMs: durationMs.default(300_000).openapi({
    description: "How long it may stay open, milliseconds; may be set anew while it is open",
  }),
  idleTimeoutMs: durationMs.optional().openapi({
    description:
      "How long it may stay without a running command that somebody waits for, a byte moved or a terminal, milliseconds",
  }),
  onTimeout: z.enum(["kill", "pause"]).default("kill").openapi({
    description: "What either timeout does; a paused sandbox stays until it is deleted",
  }),
  autoResume: z.boolean().default(false).openapi({
    description: "Whether a request that needs a paused sandbox resumes it",
  }),
  memoryBytes: limits.memoryBytes.default(512 * 1024 * 1024),
  cpus: limits.cpus,
  pids: limits.pids.default(512),
  tmpBytes: limits.tmpBytes.openapi({ description: "Size of /tmp, and of /dev/shm" }),
  diskBytes: z
    .number()
    .int()
    .min(16 * 1024 * 1024)
    .max(1024 ** 4)
    .default(2 * 1024 ** 3)
    .openapi({
      description: "How much may be written outside of these; a sandbox that writes more is ended",
    }),
};

/** What a sandbox may connect to besides its own loopback. */
const network = z
  .object({
    allow: z
      .array(z.string().min(1).max(300))
      .max(256)
      .openapi({
        description:
          "Names of hosts, *.name for all below one, * for all names, IPv4 addresses or blocks; each with a port behind a colon or without. Private addresses are open only where they are listed",
        example: ["registry.npmjs.org:443", "*.pypi.org"],
      }),
  })
  .strict();

/** What a sandbox is opened with. */
export const sandboxSpec = z
  .object({
    ...settings,
    metadata: metadata.default({}),
    network: network.optional().openapi({
      description: "A network that lets through what is listed; without it there is none",
    }),
    snapshot: snapshotId.optional().openapi({
      description:
        "Snapshot that it goes on from, with all that ran and stood there. Beside it only metadata, timeouts, what they do, memory, processors and processes may be given; what is not is as it was saved",
    }),
  })
  .strict()
  .openapi("SandboxSpec", {
    example: { metadata: { session: "42" }, timeoutMs: 600_000, memoryBytes: 536_870_912 },
  });

export type SandboxSpecInput = z.input<typeof sandboxSpec>;
/** With the key that opens it, which no caller says of itself. */
export type SandboxSpec = z.infer<typeof sandboxSpec> & { keyId?: string | undefined };

export const sandboxState = z.enum(["running", "paused", "ended"]).openapi({
  description: "Ended ones stay on record",
});

export const sandboxEndReason = z
  .enum([
    "deleted",
    "timeout",
    "idle",
    "oom",
    "disk",
    "exited",
    "unresponsive",
    "abandoned",
    "lost",
    "shutdown",
  ])
  .openapi({
    description:
      "Why it ended; exited: its first process did; unresponsive: that one did not kill a command that was over its time",
  });

const example = {
  id: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
  state: "running",
  image: "default",
  env: {},
  user: "runlet",
  cwd: "/home/runlet",
  timeoutMs: 600_000,
  onTimeout: "kill",
  autoResume: false,
  memoryBytes: 536_870_912,
  cpus: 1,
  pids: 512,
  tmpBytes: 67_108_864,
  diskBytes: 2_147_483_648,
  metadata: { session: "42" },
  start: "pooled",
  createdAtUs: 1_795_486_875_567_943,
  expiresAtUs: 1_795_487_475_567_943,
} as const;

/** A sandbox as callers see it. */
export const sandbox = z
  .object({
    id: sandboxId,
    state: sandboxState,
    ...z.object(settings).required().shape,
    cwd: sandboxPath,
    idleTimeoutMs: settings.idleTimeoutMs,
    network: network.optional().openapi({ description: "The network that it has, if any" }),
    metadata,
    keyId: keyId.optional().openapi({ description: "The key that opened it, if any" }),
    start: z.enum(["pooled", "cold", "restored"]).openapi({
      description: "Whether it waited started, had to be started, or goes on from another",
    }),
    snapshot: snapshotId.optional().openapi({ description: "Snapshot that it went on from" }),
    createdAtUs: momentUs,
    expiresAtUs: momentUs.openapi({
      description: "When its timeout falls due, microseconds since the epoch",
    }),
    endedAtUs: momentUs.optional(),
    endReason: sandboxEndReason.optional(),
  })
  .openapi("Sandbox", { example });

export type SandboxView = z.infer<typeof sandbox>;
export type SandboxState = z.infer<typeof sandboxState>;
export type SandboxEndReason = z.infer<typeof sandboxEndReason>;

export const sandboxPage = pageOf(sandbox).openapi("SandboxPage", {
  example: { items: [example] },
});

export const sandboxEventFilter = z.object({
  after: z.coerce.number<number>().int().min(0).optional().openapi({
    description:
      "Those later than this one: the `next` of a page; whoever follows all without it is told of what comes",
  }),
  limit: pageLimit,
});

export const sandboxFilter = z.object({
  state: sandboxState.optional(),
  metadata: z
    .string()
    .max(4096)
    .transform((text) => Object.fromEntries(new URLSearchParams(text)))
    .refine((pairs) => Object.keys(pairs).every((name) => metadataName.test(name)), metadataError)
    .optional()
    .openapi({
      type: "string",
      description: "Form-encoded pairs that must be in the metadata",
      example: "session=42",
    }),
  before: sandboxId
    .optional()
    .openapi({ description: "Those older than this one: the `next` of a page" }),
  limit: pageLimit,
});

export type SandboxQuery = z.input<typeof sandboxFilter>;

/** What may be changed while it is open. */
export const sandboxChange = z
  .object({
    timeoutMs: durationMs.optional().openapi({ description: "From now on, milliseconds" }),
    idleTimeoutMs: durationMs.nullable().optional().openapi({ description: "Null takes it away" }),
    metadata: metadata.optional(),
  })
  .strict()
  .openapi("SandboxChange", { example: { timeoutMs: 900_000 } });

export type SandboxChange = z.infer<typeof sandboxChange>;

const usageExample = {
  atUs: 1_795_486_878_440_391,
  cpuUs: 645_602,
  memoryBytes: 25_165_824,
  diskBytes: 4_096,
  pids: 22,
};

export const sandboxUsage = z
  .object({
    atUs: momentUs,
    cpuUs: z
      .number()
      .int()
      .openapi({ description: "Processor time since it was started, microseconds" }),
    memoryBytes: z
      .number()
      .int()
      .openapi({ description: "Memory of all that is inside, with the sandbox's own" }),
    diskBytes: z
      .number()
      .int()
      .openapi({ description: "Disk of the host that takes what was written outside of /tmp" }),
    pids: z
      .number()
      .int()
      .openapi({ description: "Processes and threads of the host that it is made of" }),
  })
  .openapi("SandboxUsage", { example: usageExample });

export const sandboxStats = z
  .object({
    now: sandboxUsage.openapi({ description: "At the moment" }),
    series: z
      .array(sandboxUsage)
      .openapi({ description: "One sample every five seconds, of the last five minutes" }),
  })
  .openapi("SandboxStats", { example: { now: usageExample, series: [usageExample] } });

export type SandboxStats = z.infer<typeof sandboxStats>;
export type SandboxUsage = z.infer<typeof sandboxUsage>;

const eventExample = {
  seq: 1,
  sandboxId: example.id,
  type: "created",
  atUs: 1_795_486_875_567_943,
} as const;

export const sandboxEventType = z.enum(["created", "changed", "paused", "resumed", "ended"]);

export const sandboxEvent = z
  .object({
    seq: z.number().int().openapi({ description: "Number of the event; later ones are greater" }),
    sandboxId,
    type: sandboxEventType.openapi({ description: "What became of it" }),
    atUs: momentUs,
    detail: z.string().optional().openapi({ description: "Why it ended" }),
  })
  .openapi("SandboxEvent", { example: eventExample });

export type SandboxEvent = z.infer<typeof sandboxEvent>;

export const sandboxEventPage = pageOf(sandboxEvent).openapi("SandboxEventPage", {
  example: { items: [eventExample] },
});
