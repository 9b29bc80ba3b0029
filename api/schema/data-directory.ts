import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Where a server of this account keeps what it keeps, as an environment has it. */
export function dataDirectoryOf(env: NodeJS.ProcessEnv): string {
  const base = env["XDG_DATA_HOME"] || join(homedir(), ".local", "share");
  return resolve(env["RUNLET_DATA_DIR"] || join(base, "runlet"));
}

/** The file in the data directory that holds the first key, for its owner alone. */
export function firstKeyFile(dataDirectory: string): string {
  return join(dataDirectory, "admin.key");
}
