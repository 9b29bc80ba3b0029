import { createHash } from "node:crypto";

/** One file or symbolic link of a function's code. Of `mode` only the question whether it is executable counts. */
export type CodeFile =
  | { readonly path: string; readonly mode: number; readonly bytes: Uint8Array }
  | { readonly path: string; readonly link: string };

/** A path, or the target of a link, that must not be put on disk. */
export class UnsafePathError extends Error {
  override readonly name = "UnsafePathError";
  readonly path: string;
  readonly reason: string;

  constructor(path: string, reason: string) {
    super(`Cannot store ${JSON.stringify(path)}: ${reason}`);
    this.path = path;
    this.reason = reason;
  }
}

/**
 * The files in their one order and with their one mode, 0444 or 0555, after a look at every path.
 * @throws UnsafePathError if the files would not make a tree, or one of them or a link would leave it.
 */
export function canonicalFiles(files: readonly CodeFile[]): CodeFile[] {
  const sorted = files.map(canonicalFile).sort((a, b) => compare(a.path, b.path));
  const seen = new Set<string>();
  for (const { path } of sorted) {
    if (seen.has(path)) throw new UnsafePathError(path, "it is there twice");
    seen.add(path);
  }
  for (const { path } of sorted) {
    for (const parent of parentsOf(path)) {
      if (seen.has(parent)) {
        throw new UnsafePathError(path, `${JSON.stringify(parent)} is a file or a link`);
      }
    }
  }
  return sorted;
}

/** The sha256 of canonical files in hexadecimal digits. */
export function digestOf(files: readonly CodeFile[]): string {
  const hash = createHash("sha256");
  for (const file of files) {
    // Each part is of a known length, so that no two lists of files make the same bytes.
    if ("link" in file) hash.update(`${JSON.stringify(["link", file.path, file.link])}\n`);
    else {
      hash.update(`${JSON.stringify(["file", file.path, file.mode, file.bytes.length])}\n`);
      hash.update(file.bytes);
    }
  }
  return hash.digest("hex");
}

/** The directories above a path, outermost first. */
export function parentsOf(path: string): string[] {
  const segments = path.split("/");
  return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join("/"));
}

const maxSegmentBytes = 255;
// Linux takes 4095 for a whole path; the rest is for the directory that the tree stands in.
const maxPathBytes = 3072;

function canonicalFile(file: CodeFile): CodeFile {
  const { path } = file;
  const segments = path.split("/");
  if (path.startsWith("/")) throw new UnsafePathError(path, "it is absolute");
  if (segments.includes("")) throw new UnsafePathError(path, "it has an empty segment");
  if (segments.includes(".")) throw new UnsafePathError(path, "it has a segment .");
  if (segments.includes("..")) throw new UnsafePathError(path, "it has a segment ..");
  checkText(path, path);
  if ("link" in file) {
    checkLink(path, file.link);
    return { path, link: file.link };
  }
  return { path, mode: (file.mode & 0o111) === 0 ? 0o444 : 0o555, bytes: file.bytes };
}

/**
 * A link may climb only at its start: the directories above a link are real ones, so these steps are exact.
 * Behind any other segment, which may be a link itself, a step up could lead anywhere.
 */
function checkLink(path: string, link: string): void {
  if (link === "") throw new UnsafePathError(path, "its link is empty");
  if (link.startsWith("/")) throw new UnsafePathError(path, "its link is absolute");
  checkText(path, link);
  let depth = parentsOf(path).length;
  let isClimbing = true;
  for (const segment of link.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment !== "..") {
      isClimbing = false;
      continue;
    }
    if (!isClimbing) throw new UnsafePathError(path, "its link has .. behind a name");
    depth -= 1;
    if (depth < 0) throw new UnsafePathError(path, "its link leaves the tree");
  }
}

function checkText(path: string, text: string): void {
  if (text.includes("\0")) throw new UnsafePathError(path, "it has a NUL character");
  // Halves of a surrogate pair all become the same bytes on disk.
  if (!text.isWellFormed()) throw new UnsafePathError(path, "it is not valid Unicode");
  if (Buffer.byteLength(text) > maxPathBytes) {
    throw new UnsafePathError(path, `it is longer than ${maxPathBytes} bytes`);
  }
  if (text.split("/").some((segment) => Buffer.byteLength(segment) > maxSegmentBytes)) {
    throw new UnsafePathError(path, `it has a segment longer than ${maxSegmentBytes} bytes`);
  }
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
