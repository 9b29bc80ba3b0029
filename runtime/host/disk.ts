import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { HostCheck } from "./host-check.ts";

const gibibyte = 1024 ** 3;
/** The default image, its staging copy and a small record fit in this. */
const leastBytes = gibibyte / 2;
const easyBytes = 2 * gibibyte;

/** Looks at the free space where `dataDirectory` is or would be made. */
export async function checkDisk(dataDirectory: string): Promise<HostCheck> {
  const freeBytes = await freeBytesOf(resolve(dataDirectory));
  return judgeDisk(dataDirectory, freeBytes);
}

/** Says what so many free bytes mean. */
export function judgeDisk(dataDirectory: string, freeBytes: number): HostCheck {
  const name = "disk space";
  const found = `${(freeBytes / gibibyte).toFixed(1)} GiB free for ${dataDirectory}`;
  if (freeBytes >= easyBytes) return { name, status: "ok", found };
  const advice = "Free some space, or choose another data directory: images take a few 100 MB each";
  return { name, status: freeBytes < leastBytes ? "error" : "warning", found, advice };
}

async function freeBytesOf(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch {
    const parent = dirname(path);
    return parent === path ? 0 : await freeBytesOf(parent);
  }
}
