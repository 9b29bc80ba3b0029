import { z } from "@hono/zod-openapi";
import { momentUs, pageLimit, pageOf, snapshotId } from "./common.ts";
import { limits } from "./limits.ts";
import { durationMs, metadata, sandboxId } from "./sandbox.ts";

const name = z.string().min(1).max(128).openapi({
  description: "A name to find it by; several may have the same",
  example: "installed",
});

/** What a snapshot is made with. */
export const snapshotSpec = z
  .object({ name: name.optional(), metadata: metadata.default({}) })
  .strict()
  .openapi("SnapshotSpec", { example: { name: "installed", metadata: { of: "tests" } } });

export type SnapshotSpecInput = z.input<typeof snapshotSpec>;
export type SnapshotSpec = z.infer<typeof snapshotSpec>;

const asBefore = "as it is in the original by default";
const copied = {
  metadata: metadata.optional(),
  timeoutMs: durationMs.optional().openapi({
    description: `How long it may stay open from now on, milliseconds; ${asBefore}`,
  }),
  idleTimeoutMs: durationMs
    .nullable()
    .optional()
    .openapi({
      description: `How long it may stay idle, milliseconds, null for ever; ${asBefore}`,
    }),
  onTimeout: z
    .enum(["kill", "pause"])
    .optional()
    .openapi({ description: `What either timeout does; ${asBefore}` }),
  autoResume: z
    .boolean()
    .optional()
    .openapi({ description: `Whether a request resumes it; ${asBefore}` }),
  memoryBytes: limits.memoryBytes
    .unwrap()
    .optional()
    .openapi({
      description: `Memory, which must hold all that was saved; ${asBefore}`,
    }),
  cpus: limits.cpus
    .unwrap()
    .optional()
    .openapi({ description: `Share of processors; ${asBefore}` }),
  pids: limits.pids
    .unwrap()
    .optional()
    .openapi({ description: `Processes and threads inside; ${asBefore}` }),
};

/** What a sandbox that goes on from another may have otherwise. */
export const copySpec = z.object(copied).strict();

export type CopySpec = z.infer<typeof copySpec>;

/** What a sandbox is forked with. */
export const forkSpec = z
  .object({
    count: z.number().int().min(1).max(100).default(1).openapi({ description: "How many copies" }),
    ...copied,
  })
  .strict()
  .openapi("ForkSpec", { example: { count: 3, metadata: { session: "42" }, timeoutMs: 60_000 } });

export type ForkSpecInput = z.input<typeof forkSpec>;
export type ForkSpec = z.infer<typeof forkSpec>;

const example = {
  id: "019a3c20-1d4e-7f5a-9b6c-7d8e9f0a1b2c",
  sandboxId: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
  name: "installed",
  metadata: { of: "tests" },
  state: "ready",
  image: "default",
  memoryBytes: 536_870_912,
  runscRelease: "0.0~20240729.0",
  sizeBytes: 13_631_488,
  createdAtUs: 1_795_486_985_742_006,
} as const;

/** A snapshot as callers see it. */
export const snapshot = z
  .object({
    id: snapshotId,
    sandboxId,
    name: name.optional(),
    metadata,
    state: z.enum(["ready", "lost"]).openapi({
      description: "Lost ones have no files any more, and can only be deleted",
    }),
    image: z.string().openapi({
      description: "Image that it needs, which is not removed while it is there",
    }),
    memoryBytes: z.number().int().openapi({ description: "Memory that the sandbox was allowed" }),
    runscRelease: z.string().openapi({
      description: "Release of runsc that has saved it, and that alone goes on from it",
    }),
    sizeBytes: z.number().int().openapi({ description: "What it takes on the disk" }),
    createdAtUs: momentUs,
  })
  .openapi("Snapshot", { example });

export type SnapshotView = z.infer<typeof snapshot>;

export const snapshotPage = pageOf(snapshot).openapi("SnapshotPage", {
  example: { items: [example] },
});

export const snapshotFilter = z.object({
  sandbox: sandboxId.optional().openapi({ description: "Those of one sandbox" }),
  name: name.optional().openapi({ description: "Those of one name" }),
  metadata: z
    .string()
    .max(4096)
    .transform((text) => Object.fromEntries(new URLSearchParams(text)))
    .optional()
    .openapi({
      type: "string",
      description: "Form-encoded pairs that must be in the metadata",
      example: "of=tests",
    }),
  before: snapshotId
    .optional()
    .openapi({ description: "Those older than this one: the `next` of a page" }),
  limit: pageLimit,
});

export type SnapshotQuery = z.input<typeof snapshotFilter>;
