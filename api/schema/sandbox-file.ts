import { z } from "@hono/zod-openapi";
import { sandboxPath, sandboxUser } from "./sandbox.ts";

/** What stands at a path of a sandbox. */
export const fileEntry = z
  .object({
    path: z.string().openapi({
      description: "Bytes of a name that are no UTF-8 are lone surrogates, \\udc80 to \\udcff",
    }),
    kind: z.enum(["file", "directory", "link", "fifo", "socket", "device", "other"]),
    sizeBytes: z.number().int(),
    mode: z.number().int().openapi({ description: "Permission bits", example: 0o644 }),
    uid: z.number().int(),
    gid: z.number().int(),
    modifiedAtMs: z.number().int().openapi({ description: "Milliseconds since the epoch" }),
    target: z.string().optional().openapi({ description: "Where a link leads" }),
  })
  .openapi("FileEntry");

export const fileListing = z
  .object({
    entries: z.array(fileEntry),
    isTruncated: z.boolean().openapi({ description: "Whether there is more than 10,000 entries" }),
  })
  .openapi("FileListing");

const flag = z
  .enum(["true", "false"])
  .default("false")
  .transform((text) => text === "true");
const octal = z
  .string()
  .regex(/^[0-7]{3,4}$/, { error: "expected permission bits in octal, such as 644" })
  .transform((text) => Number.parseInt(text, 8))
  .openapi({ type: "string", example: "644", description: "Permission bits in octal" });

export const fileQuery = z.object({ path: sandboxPath, user: sandboxUser.optional() });
export const listQuery = fileQuery.extend({
  depth: z.coerce.number<number>().int().min(1).max(32).default(1).openapi({
    description: "How many levels are listed",
  }),
});
export const writeQuery = fileQuery.extend({
  mode: octal.optional(),
  parents: flag.openapi({ type: "boolean", description: "Whether missing directories are made" }),
});
export const removeQuery = fileQuery.extend({
  recursive: flag.openapi({
    type: "boolean",
    description: "Whether a directory goes with all that it holds",
  }),
});

export const mkdirRequest = z
  .object({
    path: sandboxPath,
    user: sandboxUser.optional(),
    parents: z
      .boolean()
      .default(false)
      .openapi({ description: "Makes missing ones too; one that is there is fine" }),
    mode: octal.optional(),
  })
  .strict();

export const moveRequest = z
  .object({
    path: sandboxPath,
    to: sandboxPath,
    user: sandboxUser.optional(),
    overwrite: z.boolean().default(false),
  })
  .strict();

export const writtenFile = z.object({ sizeBytes: z.number().int() }).openapi("WrittenFile");
