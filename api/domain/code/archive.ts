import type { CodeFile } from "../ports.ts";
import type { ArchiveLimits } from "./archive-entry.ts";
import { readTar } from "./tar-archive.ts";
import { readZip } from "./zip-archive.ts";

/**
 * Reads an archive into memory: a zip, or a tar, gzip or not, as its first bytes tell.
 * @throws as {@link readTar} and {@link readZip}.
 */
export async function readArchive(archive: Uint8Array, limits: ArchiveLimits): Promise<CodeFile[]> {
  return await (isZip(archive) ? readZip : readTar)(archive, limits);
}

/** A zip begins with its first entry, or with its end where it has none. */
function isZip(archive: Uint8Array): boolean {
  const head = Buffer.from(archive.subarray(0, 4)).toString("latin1");
  return head === "PK\u0003\u0004" || head === "PK\u0005\u0006";
}
