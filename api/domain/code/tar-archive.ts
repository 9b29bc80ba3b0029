import { Parser, type ReadEntry } from "tar";
import type { CodeFile } from "../ports.ts";
import {
  type ArchiveLimits,
  safeLink,
  safePath,
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
  const files: CodeFile[] = [];
  const unfolding = new Unfolding(limits);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const parser = new Parser({ strict: true });
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
  parser.end(Buffer.from(archive));
  await promise;
  return files;
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
