import { buffer } from "node:stream/consumers";
import { crc32 } from "node:zlib";
import { type Entry, fromBufferPromise, getFileNameLowLevel, type ZipFile } from "yauzl";
import type { CodeFile } from "../ports.ts";
import {
  type ArchiveLimits,
  safeLink,
  safePath,
  tooLarge,
  Unfolding,
  unreadable,
  unsafe,
} from "./archive-entry.ts";

/**
 * Reads a zip archive into memory. Nothing is ever written by its paths, and no more is unfolded of an entry
 * than the size that was counted for it.
 * @throws `invalid_argument` for what is no zip and for an entry that is encrypted, packed in an unusual way
 * or would leave the archive; `payload_too_large` past a limit.
 */
export async function readZip(archive: Uint8Array, limits: ArchiveLimits): Promise<CodeFile[]> {
  const unfolding = new Unfolding(limits);
  const files: CodeFile[] = [];
  try {
    const zip = await fromBufferPromise(Buffer.from(archive), { decodeStrings: false });
    if (zip.entryCount > limits.maxFiles) throw tooLarge(limits);
    for await (const entry of zip.eachEntry()) {
      const file = await fileOf(zip, entry, unfolding);
      if (file !== undefined) files.push(file);
    }
  } catch (error) {
    throw unreadable(error);
  }
  return files;
}

const typeMask = 0o170000;
const types = { none: 0, file: 0o100000, directory: 0o040000, link: 0o120000 };
/** The part of a link's target that Linux would take. */
const maxLinkBytes = 4095;
const unix = 3;

/** Undefined for a directory: files bring their own. */
async function fileOf(
  zip: ZipFile,
  entry: Entry,
  unfolding: Unfolding,
): Promise<CodeFile | undefined> {
  const name = nameOf(entry);
  const path = safePath(name);
  // Only what was made on Unix has a mode there.
  const attributes = entry.versionMadeBy >>> 8 === unix ? entry.externalFileAttributes >>> 16 : 0;
  const type = attributes & typeMask;
  if (name.endsWith("/") || type === types.directory) return undefined;
  if (path === undefined) throw unsafe(name, "it names no file");
  if (entry.isEncrypted()) throw unsafe(name, "it is encrypted");
  if (!entry.canDecodeFileData()) {
    throw unsafe(name, `it is packed with method ${entry.compressionMethod}. Store or deflate it`);
  }
  if (type !== types.none && type !== types.file && type !== types.link) {
    throw unsafe(name, "it is neither a file nor a link");
  }
  unfolding.add(entry.uncompressedSize);
  if (type !== types.link) {
    const mode = attributes === 0 ? 0o644 : attributes & 0o777;
    return { path, mode, bytes: await bytesOf(zip, entry, name) };
  }
  if (entry.uncompressedSize > maxLinkBytes) throw unsafe(name, "its link is too long");
  return { path, link: safeLink(path, (await bytesOf(zip, entry, name)).toString()) };
}

function nameOf({ generalPurposeBitFlag, fileNameRaw, extraFields }: Entry): string {
  // Where it is not strict, a backslash is a slash, as the zips of some Windows programs mean it.
  return getFileNameLowLevel(generalPurposeBitFlag, fileNameRaw, extraFields, false);
}

/** @throws Error where they are not as many as was said, or not the ones that were packed. */
async function bytesOf(zip: ZipFile, entry: Entry, name: string): Promise<Buffer> {
  const bytes = await buffer(await zip.openReadStreamPromise(entry));
  if (crc32(bytes) === entry.crc32) return bytes;
  throw new Error(`the checksum of ${JSON.stringify(name)} is wrong`);
}
