import { execa } from "execa";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Image } from "../../runtime/image/image.ts";
import { buildSpec } from "../../runtime/oci/spec.ts";

/** Unpacks an image into a directory below `parent`; disposing removes it. */
export async function rootDirectory(
  image: Image,
  parent: string,
  signal: AbortSignal,
): Promise<AsyncDisposable & { readonly path: string }> {
  const file = buildSpec(image.root).annotations["dev.gvisor.spec.rootfs.source"];
  if (file === undefined) throw new Error(`Image ${image.name} is no EROFS file`);
  const path = await mkdtemp(join(parent, "root-"));
  const remove = async (): Promise<void> => await rm(path, { recursive: true, force: true });
  try {
    const extract = [`--extract=${path}`, "--overwrite", file];
    await execa("fsck.erofs", extract, { cancelSignal: signal, timeout: 300_000 });
  } catch (error) {
    await remove();
    throw error;
  }
  return { path, [Symbol.asyncDispose]: remove };
}
