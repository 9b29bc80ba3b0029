import { z } from "@hono/zod-openapi";

const codeFile = z
  .strictObject({
    path: z.string().min(1).max(1024).openapi({ example: "index.mjs" }),
    content: z.string(),
    encoding: z.enum(["utf8", "base64"]).default("utf8"),
    executable: z.boolean().default(false),
  })
  .openapi("CodeFile");

/** Code in one of three forms: one file's text, a list of files, or an archive as base64: a zip, or a tar (gzip or not). */
export const code = z
  .union([
    z.strictObject({ source: z.string().min(1) }),
    z.strictObject({ files: z.array(codeFile).min(1).max(10_000) }),
    z.strictObject({ archive: z.base64().min(1) }),
  ])
  .openapi("Code");

export type Code = z.infer<typeof code>;
