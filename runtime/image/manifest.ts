import { rename, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const manifestSchema = z.object({
  version: z.literal(1),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: z.number().int().positive(),
  createdAtMs: z.number(),
  env: z.record(z.string(), z.string()),
  linked: z.object({ digest: z.string(), paths: z.array(z.string()).readonly() }).optional(),
});

/** What stands beside an EROFS file, as `image.json`. */
export type Manifest = z.infer<typeof manifestSchema>;

/** The EROFS file that a manifest in `directory` speaks of. */
export function imageFile(directory: string, digest: string): string {
  return join(directory, `${digest}.erofs`);
}

/**
 * Reads the manifest of an image's directory. Undefined if there is none, or if the file that it speaks of
 * is missing or not whole, as after a power failure.
 */
export async function readManifest(directory: string): Promise<Manifest | undefined> {
  try {
    const text = await readFile(manifestFile(directory), "utf8");
    const manifest = manifestSchema.parse(JSON.parse(text));
    const { size } = await stat(imageFile(directory, manifest.digest));
    return size === manifest.sizeBytes ? manifest : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the manifest of an image's directory, whole or not at all. */
export async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  const draft = `${manifestFile(directory)}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(manifest, undefined, 2)}\n`);
  await rename(draft, manifestFile(directory));
}

function manifestFile(directory: string): string {
  return join(directory, "image.json");
}
