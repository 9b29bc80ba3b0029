import { gzipSync } from "node:zlib";

/** One entry of a tar archive, honest or not. */
export interface TarEntry {
  path: string;
  /** The type flag: 0 file, 1 hard link, 2 symbolic link, 3 character device, 5 directory, 6 FIFO. */
  type?: "0" | "1" | "2" | "3" | "5" | "6";
  link?: string;
  text?: string;
  mode?: number;
}

const blockBytes = 512;

/** Makes a tar archive that holds just what is said, also what no tar program would write. */
export function tarOf(...entries: readonly TarEntry[]): Buffer {
  return Buffer.concat([...entries.flatMap(blocksOf), Buffer.alloc(2 * blockBytes)]);
}

/** The archive as a deployment has it. */
export function archiveOf(...entries: readonly TarEntry[]): { archive: string } {
  return { archive: tarOf(...entries).toString("base64") };
}

/** As {@link tarOf}, compressed. */
export function tarGzOf(...entries: readonly TarEntry[]): Buffer {
  return gzipSync(tarOf(...entries));
}

function blocksOf(entry: TarEntry): Buffer[] {
  const { path, type = "0", link = "", text = "", mode = 0o644 } = entry;
  const body = Buffer.from(text);
  const header = Buffer.alloc(blockBytes);
  header.write(path, 0, 100);
  header.write(octal(mode, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(body.length, 11), 124);
  header.write(octal(0, 11), 136);
  header.write(" ".repeat(8), 148);
  header.write(type, 156);
  header.write(link, 157, 100);
  header.write("ustar\u000000", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148);
  const padding = Buffer.alloc((blockBytes - (body.length % blockBytes)) % blockBytes);
  return [header, body, padding];
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
