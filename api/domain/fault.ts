import { type Fault, faultOf } from "../../store/fault.ts";
import { RunletError } from "./errors.ts";

const texts: Readonly<Record<Fault, string>> = {
  full: "Cannot write to the server's disk: it is full. Make room in the data directory; the server goes on by itself then",
  read_only:
    "Cannot write to the server's disk: it is read-only. Mount the data directory for writing; the server goes on by itself then",
  busy: "Cannot write to the record: another process holds it. Try again, and end that process if it stays so",
  damaged:
    "Cannot read the record: it is damaged. Stop the server, move the data directory away, and put a backup there with: runlet restore",
  broken:
    "Cannot read or write the server's files: the disk failed. Read the host's kernel log; the server goes on by itself once the disk works",
  descriptors:
    "Cannot open a file or socket: the server has as many open as it may. Try again with less at once, or raise its limit (LimitNOFILE)",
  processes:
    "Cannot start a process: the host has as many as it may. Try again with less at once, or raise the limit (TasksMax)",
};

/** What callers are told of an error that the host's disk or its limits are the cause of; undefined for any other. */
export function hostFailureOf(error: unknown): RunletError | undefined {
  const fault = faultOf(error);
  return fault && new RunletError("unavailable", texts[fault], { cause: error });
}
