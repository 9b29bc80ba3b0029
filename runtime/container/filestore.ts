import { readdirSync, readlinkSync, statSync } from "node:fs";

/** How runsc names the file that holds what is written to a root with an overlay; it has no name any more. */
const filestoreLink = /\/runsc-filestore-\d+ \(deleted\)$/;

/**
 * The file of the host that holds what a container has written to its root. It is looked at through the sandbox
 * that has it open, since it stands in no directory.
 */
export class Filestore {
  readonly #processes: () => readonly number[];
  #path: string | undefined;

  /** `processes` are those of the host that the container is made of. */
  constructor(processes: () => readonly number[]) {
    this.#processes = processes;
  }

  /** How much of the disk it takes, in bytes; undefined where there is none to be found. */
  sizeBytes(): number | undefined {
    this.#path ??= this.#find();
    if (this.#path === undefined) return undefined;
    try {
      return statSync(this.#path).blocks * 512;
    } catch {
      this.#path = undefined;
      return undefined;
    }
  }

  #find(): string | undefined {
    for (const pid of this.#processes()) {
      const found = filesOf(pid).find(isFilestore);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** The open files of a process, which may end meanwhile. */
function filesOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`);
  } catch {
    return [];
  }
}

function isFilestore(path: string): boolean {
  try {
    return filestoreLink.test(readlinkSync(path));
  } catch {
    return false;
  }
}
