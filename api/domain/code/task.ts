import type { GuestTask } from "../../../runtime/guest/guest.ts";
import type { CodeFile, StoredVersion } from "../ports.ts";
import { maskOf } from "../secrets.ts";

/** A version with its files and its whole environment as a guest is given it. */
export function guestTask(
  version: StoredVersion,
  files: readonly CodeFile[],
  env: Readonly<Record<string, string>>,
): GuestTask {
  const { config, name } = version;
  return {
    files: files.map((file) =>
      "link" in file
        ? { path: file.path, link: file.link }
        : { path: file.path, mode: file.mode, size: file.bytes.byteLength },
    ),
    body: Buffer.concat(files.flatMap((file) => ("link" in file ? [] : [file.bytes]))),
    handler: config.handler,
    command: config.command,
    env,
    mask: maskOf(config, env),
    functionName: name,
    functionVersion: String(version.version),
    memoryBytes: config.memoryBytes,
  };
}
