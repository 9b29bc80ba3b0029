import { z } from "@hono/zod-openapi";

const codeFile = z
  .strictObject({
    path: z.string().min(1).max(1024).openapi({
      description: "Path below the directory of the code",
      example: "index.mjs",
    }),
    content: z.string().openapi({ description: "What is in it" }),
    encoding: z
      .enum(["utf8", "base64"])
      .default("utf8")
      .openapi({ description: "How content stands for bytes" }),
    executable: z
      .boolean()
      .default(false)
      .openapi({ description: "Whether it may be run as a program" }),
  })
  .openapi("CodeFile");

/** Code in one of three forms: one file's text, a list of files, or an archive as base64: a zip, or a tar (gzip or not). */
export const code = z
  .union([
    z.strictObject({
      source: z.string().min(1).openapi({ description: "Text of the only file" }),
    }),
    z.strictObject({
      files: z.array(codeFile).min(1).max(10_000).openapi({ description: "All files" }),
    }),
    z.strictObject({
      archive: z
        .base64()
        .min(1)
        .openapi({ description: "A zip, a tar or a gzipped tar, in base64" }),
    }),
  ])
  .openapi("Code", { description: "The code in one of three forms" });

export type Code = z.infer<typeof code>;
