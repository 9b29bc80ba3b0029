import { execa } from "execa";
import { isSupportedRunsc, minimumRunscVersion } from "../runsc/version.ts";
import type { HostCheck } from "./host-check.ts";

/** Looks whether `binary` is a runsc that is new enough. */
export async function checkRunsc(binary: string, signal?: AbortSignal): Promise<HostCheck> {
  const output = await outputOf(binary, ["--version"], signal);
  const version = firstLine(output, "runsc version ");
  if (version !== undefined && isSupportedRunsc(version)) {
    return { name: "runsc", status: "ok", found: version };
  }
  const advice =
    `Runlet needs runsc ${minimumRunscVersion} or newer. On Debian 13: \`sudo apt-get install runsc\`. ` +
    "On Debian 12: `sudo sh api/cli/setup.sh`";
  const found = version ?? cannotUse(binary, output);
  return { name: "runsc", status: "error", found, advice };
}

/** Looks for the tool that images are made with. */
export async function checkErofsTools(binary: string, signal?: AbortSignal): Promise<HostCheck> {
  const output = await outputOf(binary, ["-V"], signal);
  const version = firstLine(output, "mkfs.erofs ");
  if (version !== undefined) return { name: "EROFS tools", status: "ok", found: version };
  const advice =
    "Images are made with it: `sudo apt-get install erofs-utils`. Image `host` works without";
  return { name: "EROFS tools", status: "warning", found: cannotUse(binary, output), advice };
}

function cannotUse(binary: string, output: string | undefined): string {
  return output === undefined ? `${binary} cannot be started` : `${binary} tells no version`;
}

function firstLine(output: string | undefined, start: string): string | undefined {
  return output?.split("\n").find((line) => line.startsWith(start));
}

/** All that a program prints, or undefined where it cannot be started; some fail when they tell a version. */
async function outputOf(
  binary: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<string | undefined> {
  const result = await execa(binary, args, {
    reject: false,
    all: true,
    stdin: "ignore",
    timeout: 10_000,
    forceKillAfterDelay: false,
    killSignal: "SIGKILL",
    ...(signal ? { cancelSignal: signal } : {}),
  });
  signal?.throwIfAborted();
  return result.exitCode === undefined ? undefined : result.all;
}
