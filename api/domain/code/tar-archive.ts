import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { Parser, type ReadEntry } from "tar";
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
 * Reads a tar archive, gzip or not, into memory. Nothing is ever written by its paths.
 * @throws `invalid_argument` for what is no archive and for an entry that would leave it;
 * `payload_too_large` past a limit.
 */
export async function readTar(archive: Uint8Array, limits: ArchiveLimits): Promise<CodeFile[]> {
  const tar = await unpacked(archive, limits);
  const files: CodeFile[] = [];
  const unfolding = new Unfolding(limits);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const parser = new Parser({ strict: true, brotli: false, zstd: false });
  const refuse = (error: Error): void => {
    reject(error);
    parser.abort(error);
  };
  parser.on("entry", (entry: ReadEntry) => {
    try {
      const path = safePath(entry.path);
      unfolding.add(entry.size);
      collect(entry, path, files);
    } catch (error) {
      entry.resume();
      refuse(error as Error);
    }
  });
  parser.on("end", () => resolve());
  parser.on("error", (error: unknown) => refuse(unreadable(error)));
  parser.on("warn", (_code: string, message: string | Error) => refuse(unreadable(message)));
  promise.catch(() => undefined);
  // Others are served between the pieces.
  for (let at = 0; at < tar.byteLength; at += pieceBytes) {
    parser.write(tar.subarray(at, at + pieceBytes));
    await setImmediate();
  }
  parser.end();
  await promise;
  return files;
}

const pieceBytes = 256 * 1024;

/** What a tar has for an entry beside its bytes: heads, those of a long name too, and what fills its last block. */
const entryBytes = 4096;

/**
 * The tar itself. It is unpacked here, within a bound and beside the event loop: the parser would unpack all that is
 * there in one go, a thousand times what was sent.
 */
async function unpacked(archive: Uint8Array, limits: ArchiveLimits): Promise<Buffer> {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  if (!isGzip(bytes)) return bytes;
  const maxOutputLength = limits.maxBytes + limits.maxFiles * entryBytes;
  const tar = await gunzipped(bytes, { maxOutputLength }).catch((error: unknown) => {
    const isTooLarge = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    throw isTooLarge ? tooLarge(limits) : unreadable(error);
  });
  if (isGzip(tar)) throw unreadable(new Error("it is packed twice"));
  return tar;
}

const gunzipped = promisify(gunzip);

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

const fileTypes: ReadonlySet<string> = new Set(["File", "OldFile", "ContiguousFile"]);
const directoryTypes: ReadonlySet<string> = new Set(["Directory", "GNUDumpDir"]);

function collect(entry: ReadEntry, path: string | undefined, files: CodeFile[]): void {
  if (directoryTypes.has(entry.type)) {
    entry.resume();
    return;
  }
  if (path === undefined) throw unsafe(entry.path, "it names no file");
  if (fileTypes.has(entry.type)) {
    const chunks: Buffer[] = [];
    entry.on("data", (chunk: Buffer) => chunks.push(Buffer.from(chunk)));
    entry.on("end", () => {
      files.push({ path, mode: entry.mode ?? 0o644, bytes: Buffer.concat(chunks) });
    });
    return;
  }
  if (entry.type !== "SymbolicLink") {
    throw unsafe(entry.path, `an entry of type ${entry.type} is not allowed`);
  }
  files.push({ path, link: safeLink(path, entry.linkpath ?? "") });
  entry.resume();
}
