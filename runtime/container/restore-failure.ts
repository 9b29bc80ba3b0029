import { type ErrorCode, RunletError } from "../errors.ts";
import { RunscError } from "../runsc/error.ts";

/** What runsc says of a checkpoint that it cannot restore, and what is behind it; the first that fits. */
const causes: readonly [RegExp, ErrorCode, string][] = [
  [
    /urpc method .* failed|waiting for sandbox to start|client sync file/,
    "runtime_failed",
    "its sandbox ended meanwhile",
  ],
  [
    /no host FD available|socket operation on non-socket/,
    "failed_precondition",
    "something in it held a descriptor of the host. End what exec has started before a checkpoint is made",
  ],
  [
    /inconsistent private memory files|Memory file for .* not found|erofs\.OpenImage failed/,
    "invalid_argument",
    "its root was another. Give the spec of the container that was saved",
  ],
  [
    /no server FD available|restoring container "[^"]*": no such file or directory/,
    "failed_precondition",
    "a mount, or a file in one that it had open, is not there any more",
  ],
  [
    /bad magic header|\bEOF\b|error decoding|no such file or directory/,
    "failed_precondition",
    "its files are damaged, or another runsc has written them. Make a new one",
  ],
];

/** The error for a restore that runsc has failed with `message`, most of which is the sandbox's stack. */
export function restoreFailure(id: string, message: string): RunletError {
  const [line = ""] = message.split("\n", 1);
  const cause = new RunscError("restore", line);
  const known = causes.find(([said]) => said.test(line));
  if (known === undefined) return cause;
  const [, code, fact] = known;
  return new RunletError(code, `Cannot restore container ${id} from its checkpoint: ${fact}`, {
    cause,
  });
}
