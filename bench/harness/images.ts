import { join } from "node:path";
import type { Image } from "../../runtime/image/image.ts";
import { ImageStore } from "../../runtime/image/image-store.ts";

/** Where all benches find the default image, so that it is built once. */
export const imagesDir =
  process.env["RUNLET_IMAGES_DIR"] ||
  join(import.meta.dirname, "../../node_modules/.cache/runlet/images");

/** The default image, built if need be. */
export async function defaultImage(
  signal: AbortSignal,
  progress: (text: string) => void,
): Promise<Image> {
  return await new ImageStore({ directory: imagesDir }).ensureDefault({
    signal,
    onProgress: ({ phase }) => progress(`default image: ${phase}`),
  });
}
