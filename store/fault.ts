/** What keeps the server from its record or its files: none of it is a mistake of a caller or of Runlet. */
export type Fault =
  | "full"
  | "read_only"
  | "busy"
  | "damaged"
  | "broken"
  | "descriptors"
  | "processes";

/** SQLite's codes by how they begin: what follows says where it happened. */
const sqliteFaults: readonly (readonly [prefix: string, fault: Fault])[] = [
  ["SQLITE_FULL", "full"],
  ["SQLITE_READONLY", "read_only"],
  ["SQLITE_BUSY", "busy"],
  ["SQLITE_CORRUPT", "damaged"],
  ["SQLITE_NOTADB", "damaged"],
  ["SQLITE_IOERR", "broken"],
  ["SQLITE_CANTOPEN", "broken"],
];

const systemFaults: Readonly<Record<string, Fault>> = {
  ENOSPC: "full",
  EDQUOT: "full",
  EROFS: "read_only",
  EIO: "broken",
  EMFILE: "descriptors",
  ENFILE: "descriptors",
  // No file is asked so that it could answer this: it is a process that could not be begun.
  EAGAIN: "processes",
};

/** The fault that an error, or what caused it, is about; undefined where there is none. */
export function faultOf(error: unknown): Fault | undefined {
  for (let next = error; next instanceof Error; next = next.cause) {
    const { code = "" } = next as NodeJS.ErrnoException;
    const fault =
      systemFaults[code] ?? sqliteFaults.find(([prefix]) => code.startsWith(prefix))?.[1];
    if (fault !== undefined) return fault;
  }
  return undefined;
}
