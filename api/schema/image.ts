import { z } from "@hono/zod-openapi";
import { pageOf } from "./common.ts";
import { problem } from "./problem.ts";

const imageExample = {
  name: "default",
  digest: "bc924f092d61511b7d556ec9418ac7f8a7476a58c3b4346039a2116a9aa413ae",
  kind: "erofs" as const,
  sizeBytes: 195_608_576,
  createdAtMs: 1769860800000,
};

export const image = z
  .object({
    name: z.string().openapi({ description: "Name of the image" }),
    digest: z.string().openapi({ description: "SHA-256 of its content" }),
    kind: z.enum(["erofs", "host"]).openapi({
      description: "erofs: a file of its own. host: the programs of the host, seen read-only",
    }),
    sizeBytes: z.number().int().openapi({ description: "Size of its file" }),
    createdAtMs: z.number().int().openapi({ description: "Milliseconds since the epoch" }),
  })
  .openapi("Image", { example: imageExample });

export const imagePage = pageOf(image).openapi("ImagePage", { example: { items: [imageExample] } });

/** How far an upload has come. */
const imageProgress = z.object({
  phase: z.string().openapi({ description: "What is being done", example: "packing" }),
  doneBytes: z.number().int().openapi({ description: "How much of it is done" }),
  totalBytes: z
    .number()
    .int()
    .optional()
    .openapi({ description: "How much it is in all, where that is known" }),
});

/** One line of the answer to an upload: progress, then either the image or a problem. */
export const imageLine = z
  .union([
    z.object({ progress: imageProgress.openapi({ description: "How far it has come" }) }),
    z.object({ image: image.openapi({ description: "The image that was made" }) }),
    z.object({ problem: problem.openapi({ description: "Why none was made" }) }),
  ])
  .openapi("ImageLine", { example: { progress: { phase: "received", doneBytes: 2048 } } });

export type Image = z.infer<typeof image>;
export type ImageProgress = z.infer<typeof imageProgress>;
