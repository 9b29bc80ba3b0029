import { z } from "@hono/zod-openapi";

export const image = z
  .object({
    name: z.string(),
    digest: z.string(),
    kind: z.enum(["erofs", "host"]),
    sizeBytes: z.number().int(),
    createdAtMs: z.number().int(),
  })
  .openapi("Image");

export const imageList = z.object({ items: z.array(image) }).openapi("ImageList");

/** One line of the answer to an upload: progress, then either the image or a problem. */
export const imageProgress = z.object({
  phase: z.string(),
  doneBytes: z.number().int(),
  totalBytes: z.number().int().optional(),
});

export type Image = z.infer<typeof image>;
export type ImageProgress = z.infer<typeof imageProgress>;
