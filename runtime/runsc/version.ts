import { RunscError } from "./error.ts";

/** The oldest runsc that has systrap, EROFS roots and `--pass-fd` (see README, Limits). */
export const minimumRunscVersion = "0.0~20240729";

/** The date in `runsc version 0.0~20240729.0` or `runsc version release-20240729.0` as a number, or undefined. */
export function runscReleaseDate(versionOutput: string): number | undefined {
  const match = /(?:^|[~-])(\d{8})(?:\.|\b)/m.exec(versionOutput);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

/** Tells whether the output of `runsc --version` names a release that is new enough. */
export function isSupportedRunsc(versionOutput: string): boolean {
  const date = runscReleaseDate(versionOutput);
  return date !== undefined && date >= Number(minimumRunscVersion.slice(4));
}

/**
 * The name of the release in the output of `runsc --version`, such as `0.0~20240729.0`.
 * @throws RunscError where there is none.
 */
export function runscRelease(versionOutput: string): string {
  const release = /^runsc version (\S+)/m.exec(versionOutput)?.[1];
  if (release !== undefined) return release;
  throw new RunscError("--version", "unexpected answer: it names no release", 0);
}
