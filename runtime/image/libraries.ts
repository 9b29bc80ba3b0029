import { execa } from "execa";
import { RunletError } from "../errors.ts";

const found = /^\s(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/gm;

/**
 * The shared libraries, the dynamic linker among them, that programs and libraries of the host need, by the
 * paths that the linker finds them at.
 * @throws `unavailable` if the host has no `ldd`.
 */
export async function librariesOf(
  files: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  // It exits with 1 when one of the files is a script or linked statically.
  const result = await execa("ldd", files, {
    reject: false,
    cancelSignal: signal,
    env: { LC_ALL: "C" },
  });
  signal.throwIfAborted();
  if (result.code === "ENOENT") {
    throw new RunletError(
      "unavailable",
      `Cannot make the default image: ldd is not installed. Install the package that holds it (libc-bin), or use the image "host"`,
    );
  }
  return [...new Set([...result.stdout.matchAll(found)].map(([, path = ""]) => path))].sort();
}
