import { execa } from "execa";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A disk of its own for a server's data, that a test makes fail; disposing it unmounts it. */
interface Disk extends AsyncDisposable {
  readonly path: string;
}

/** Mounts a small disk in memory at the data directory of a server of `directory`. */
export async function smallDisk(
  directory: string,
  sizeBytes: number,
): Promise<Disk & { fill(): void; free(): void }> {
  const path = dataDirectoryIn(directory);
  await execa("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", path]);
  const ballast = join(path, "ballast");
  return {
    path,
    fill(): void {
      for (const size of [1 << 16, 1 << 12]) fillWith(ballast, Buffer.alloc(size));
    },
    free: () => rmSync(ballast),
    [Symbol.asyncDispose]: async () => void (await execa("umount", [path])),
  };
}

/** Mounts a disk that turns read-only under whoever writes to it, as one does that finds itself damaged. */
export async function frailDisk(directory: string): Promise<Disk & { break(): Promise<void> }> {
  const path = dataDirectoryIn(directory);
  const image = join(directory, "disk.img");
  await writeFile(image, "");
  await truncate(image, 32 * 1024 * 1024);
  await execa("mkfs.ext4", ["-q", "-O", "^has_journal", image]);
  await execa("mount", ["-o", "loop,errors=remount-ro", image, path]);
  const { stdout: device } = await execa("findmnt", ["-n", "-o", "SOURCE", path]);
  return {
    path,
    async break(): Promise<void> {
      await writeFile(join("/sys/fs/ext4", device.replace("/dev/", ""), "trigger_fs_error"), "1");
    },
    [Symbol.asyncDispose]: async () => void (await execa("umount", [path])),
  };
}

function dataDirectoryIn(directory: string): string {
  const path = join(directory, "d");
  mkdirSync(path, { mode: 0o700 });
  return path;
}

function fillWith(path: string, block: Buffer): void {
  for (;;) {
    try {
      writeFileSync(path, block, { flag: "a" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOSPC") return;
      throw error;
    }
  }
}
