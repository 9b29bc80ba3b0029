import { posix } from "node:path";
import { messageOf, RunletError } from "../errors.ts";

/** Bounds on what an archive may unfold to. */
export interface ArchiveLimits {
  maxBytes: number;
  maxFiles: number;
}

/** Counts what an archive unfolds to. */
export class Unfolding {
  readonly #limits: ArchiveLimits;
  #bytes = 0;
  #files = 0;

  constructor(limits: ArchiveLimits) {
    this.#limits = limits;
  }

  /** Counts an entry before it is read. @throws `payload_too_large` past a limit. */
  add(bytes: number): void {
    const { maxBytes, maxFiles } = this.#limits;
    this.#bytes += bytes;
    this.#files += 1;
    if (this.#bytes > maxBytes || this.#files > maxFiles) throw tooLarge(this.#limits);
  }
}

/** The error for what unfolds to more than it may. */
export function tooLarge({ maxBytes, maxFiles }: ArchiveLimits): RunletError {
  return new RunletError(
    "payload_too_large",
    `Cannot take the code: it unfolds to more than ${maxBytes} bytes or ${maxFiles} files`,
  );
}

/** The path inside the archive in normal form; undefined for the archive's own root. @throws `invalid_argument`. */
export function safePath(path: string): string | undefined {
  if (path.includes("\0")) throw unsafe(path, "it has a NUL character");
  if (posix.isAbsolute(path)) throw unsafe(path, "it is absolute");
  if (path.split("/").includes("..")) throw unsafe(path, "it has a .. segment");
  const normal = posix.normalize(path).replace(/\/$/, "");
  return normal === "." ? undefined : normal;
}

/** The target of a link, which stays inside. @throws `invalid_argument`. */
export function safeLink(path: string, target: string): string {
  if (target === "" || posix.isAbsolute(target)) throw unsafe(path, "its link is absolute");
  const reached = posix.normalize(posix.join(posix.dirname(path), target));
  if (reached === ".." || reached.startsWith("../")) throw unsafe(path, "its link leaves the code");
  return target;
}

/** The error for an entry that cannot be taken. */
export function unsafe(path: string, why: string): RunletError {
  return new RunletError(
    "invalid_argument",
    `Cannot take the code: entry ${JSON.stringify(path)}: ${why}`,
  );
}

/** The error for bytes that cannot be read as an archive; one that says more than that stays itself. */
export function unreadable(cause: unknown): Error {
  if (cause instanceof RunletError) return cause;
  return new RunletError(
    "invalid_argument",
    `Cannot read the code archive: ${messageOf(cause)}. Expected a zip file, or a tar file, gzip or not`,
  );
}
