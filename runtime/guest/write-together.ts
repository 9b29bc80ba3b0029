import type { Writable } from "node:stream";
import { notePassed } from "../passed-bytes.ts";

/** Writes the pieces of a frame in one system call; false where their writer had better wait, as `write` has it. */
export function writeTogether(stream: Writable, pieces: readonly Uint8Array[]): boolean {
  let isBelowMark = true;
  stream.cork();
  for (const piece of pieces) {
    notePassed(piece.byteLength);
    isBelowMark = stream.write(piece);
  }
  stream.uncork();
  return isBelowMark;
}
