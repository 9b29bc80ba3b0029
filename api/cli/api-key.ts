import { readFileSync } from "node:fs";
import { dataDirectoryOf, firstKeyFile } from "../schema/data-directory.ts";
import { isLoopback } from "../schema/loopback.ts";

/**
 * The key that a server is asked with: of RUNLET_API_KEY, or the first key of a server that this account has on this
 * machine. That one goes nowhere else.
 */
export function apiKeyFor(url: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const given = env["RUNLET_API_KEY"]?.trim();
  if (given) return given;
  return isLoopback(URL.parse(url)?.hostname ?? "") ? firstKeyIn(dataDirectoryOf(env)) : undefined;
}

/** The first key of the server with this data directory, where its file is still there and may be read. */
export function firstKeyIn(dataDirectory: string): string | undefined {
  try {
    return readFileSync(firstKeyFile(dataDirectory), "utf8").trim();
  } catch {
    return undefined;
  }
}
