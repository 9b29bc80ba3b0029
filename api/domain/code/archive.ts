import { Parser, type ReadEntry } from "tar";
import { posix } from "node:path";
import { messageOf, RunletError } from "../../../runtime/errors.ts";
import type { CodeFile } from "../ports.ts";

/** Bounds on what an archive may unfold to. */
export interface ArchiveLimits {
  maxBytes: number;
  maxFiles: number;
}

/**
 * Reads a tar archive, gzip or not, into memory. Nothing is ever written by its paths.
 * @throws `invalid_argument` for what is no archive and for an entry that would leave it;
 * `payload_too_large` past a limit.
 */
export async function readArchive(archive: Uint8Array, limits: ArchiveLimits): Promise<CodeFile[]> {
  const files: CodeFile[] = [];
  let totalBytes = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const parser = new Parser({ strict: true });
  const refuse = (error: Error): void => {
    reject(error);
    parser.abort(error);
  };
  parser.on("entry", (entry: ReadEntry) => {
    try {
      const path = safePath(entry.path);
      totalBytes += entry.size;
      if (totalBytes > limits.maxBytes || files.length >= limits.maxFiles) {
        throw new RunletError(
          "payload_too_large",
          `Cannot take the code: it unfolds to more than ${limits.maxBytes} bytes or ${limits.maxFiles} files`,
        );
      }
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

/** The path inside the archive in normal form; undefined for the archive's own root. */
function safePath(path: string): string | undefined {
  if (path.includes("\0")) throw unsafe(path, "it has a NUL character");
  if (posix.isAbsolute(path)) throw unsafe(path, "it is absolute");
  if (path.split("/").includes("..")) throw unsafe(path, "it has a .. segment");
  const normal = posix.normalize(path).replace(/\/$/, "");
  return normal === "." ? undefined : normal;
}

function safeLink(path: string, target: string): string {
  if (target === "" || posix.isAbsolute(target)) throw unsafe(path, "its link is absolute");
  const reached = posix.normalize(posix.join(posix.dirname(path), target));
  if (reached === ".." || reached.startsWith("../")) throw unsafe(path, "its link leaves the code");
  return target;
}

function unsafe(path: string, why: string): RunletError {
  return new RunletError(
    "invalid_argument",
    `Cannot take the code: entry ${JSON.stringify(path)}: ${why}`,
  );
}

function unreadable(cause: unknown): Error {
  if (cause instanceof RunletError) return cause;
  return new RunletError(
    "invalid_argument",
    `Cannot read the code archive: ${messageOf(cause)}. Expected a tar file, gzip or not`,
  );
}
