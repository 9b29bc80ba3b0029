import { z } from "@hono/zod-openapi";
import { sandboxPath, sandboxUser } from "./sandbox.ts";

const example = {
  path: "notes/today.txt",
  kind: "file",
  sizeBytes: 1024,
  mode: 0o644,
  uid: 1000,
  gid: 1000,
  modifiedAtMs: 1_795_486_306_371,
} as const;

/** What stands at a path of a sandbox. */
export const fileEntry = z
  .object({
    path: z.string().openapi({
      description:
        "Bytes of a name that are no UTF-8 are lone surrogates, \\udc80 to \\udcff; in the query of a request they are themselves, %80 to %FF",
    }),
    kind: z
      .enum(["file", "directory", "link", "fifo", "socket", "device", "other"])
      .openapi({ description: "What stands there" }),
    sizeBytes: z.number().int().openapi({ description: "Size of its content" }),
    mode: z.number().int().openapi({ description: "Permission bits", example: 0o644 }),
    uid: z.number().int().openapi({ description: "Number of the account that owns it" }),
    gid: z.number().int().openapi({ description: "Number of the group that owns it" }),
    modifiedAtMs: z.number().int().openapi({ description: "Milliseconds since the epoch" }),
    target: z.string().optional().openapi({ description: "Where a link leads" }),
  })
  .openapi("FileEntry", { example });

export type FileEntry = z.infer<typeof fileEntry>;

export const fileListing = z
  .object({
    entries: z.array(fileEntry).openapi({ description: "What is in the directory" }),
    isTruncated: z.boolean().openapi({ description: "Whether there is more than 10,000 entries" }),
  })
  .openapi("FileListing", { example: { entries: [example], isTruncated: false } });

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

export const watchQuery = fileQuery.extend({
  recursive: flag.openapi({
    type: "boolean",
    description: "Whether directories below are watched too",
  }),
});

export const unpackedFiles = z
  .object({ entries: z.number().int().openapi({ description: "How many were unpacked" }) })
  .openapi("UnpackedFiles", { example: { entries: 12 } });

/** What a watch tells. */
export const fileChange = z
  .discriminatedUnion("type", [
    z.object({
      type: z.enum(["created", "written", "changed", "removed", "moved_from", "moved_to"]).openapi({
        description: "What happened; changed: to what is known of it, such as its mode",
      }),
      path: z.string().openapi({ description: "Relative to the directory that is watched" }),
      isDirectory: z.boolean().openapi({ description: "Whether it is a directory" }),
    }),
    z.object({
      type: z.enum(["watching", "overflow", "gone"]).openapi({
        description: "The watch has begun, has missed changes, or its directory is gone",
      }),
    }),
  ])
  .openapi("FileChange", { example: { type: "written", path: "today.txt", isDirectory: false } });

export type FileChange = z.infer<typeof fileChange>;

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
  .strict()
  .openapi("DirectoryRequest", { example: { path: "notes", parents: true } });

export const moveRequest = z
  .object({
    path: sandboxPath,
    to: sandboxPath,
    user: sandboxUser.optional(),
    overwrite: z
      .boolean()
      .default(false)
      .openapi({ description: "Whether what stands there is replaced" }),
  })
  .strict()
  .openapi("MoveRequest", { example: { path: "notes", to: "archive" } });

export const writtenFile = z
  .object({ sizeBytes: z.number().int().openapi({ description: "How much was written" }) })
  .openapi("WrittenFile", { example: { sizeBytes: 1024 } });

export type FileListing = z.infer<typeof fileListing>;
