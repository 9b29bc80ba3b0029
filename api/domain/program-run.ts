import {
  type ProgramOptions,
  type ProgramResult,
  runProgram,
} from "../../runtime/container/program.ts";
import type { OutputListener } from "../../runtime/container/stdio/capture.ts";
import type { Mask } from "../../runtime/container/stdio/mask.ts";
import type { Image } from "../../runtime/image/image.ts";
import type { Machine } from "../../runtime/machine.ts";
import { taskDirectory } from "../../runtime/oci/spec.ts";
import type { HandlerOutcome } from "./handler-run.ts";
import { failureOfExit, isSuccess, type OnContainer, type Outcome } from "./outcome.ts";
import type { StoredVersion } from "./ports.ts";
import { isUtf8 } from "./text.ts";

export interface CommandRunOptions {
  machine: Machine;
  image: Image;
  version: StoredVersion;
  env: Readonly<Record<string, string>>;
  /** What must not be seen of what it writes, but in the answer itself. */
  mask: Mask | undefined;
  /** Directory of the host with the version's files, if it has any. */
  task: string | undefined;
  stdin: Uint8Array;
  onOutput?: OutputListener | undefined;
  onContainer: OnContainer;
  signal: AbortSignal;
}

/** Runs a command function: standard input is the event, standard output the answer. */
export async function runCommand(options: CommandRunOptions): Promise<HandlerOutcome> {
  const { machine, image, version, env, mask, task, stdin, onOutput, onContainer, signal } =
    options;
  const { command, timeoutMs, outputBytes } = version.config;
  const { tmpBytes, memoryBytes, cpus, pids } = version.config;
  const { outcome, result } = await runOnRecord(machine, {
    image,
    args: command ?? [],
    env,
    cwd: task === undefined ? "/tmp" : taskDirectory,
    task,
    tmpBytes,
    memoryBytes,
    cpus,
    pids,
    stdin,
    timeoutMs,
    outputBytes,
    onOutput,
    onContainer: ofProgram(onContainer),
    mask,
    signal,
  });
  if (outcome.failure !== undefined) return outcome;
  const { unmasked } = result;
  const body = unmasked.toBuffer();
  const isText = isUtf8(body) && !body.includes(0);
  const contentType = isText ? "text/plain; charset=utf-8" : "application/octet-stream";
  const answer = { status: 200, contentType, headers: [], body };
  return { ...outcome, answer, answerBytes: body.length, isAnswerCut: unmasked.truncated };
}

/** Tells of a program's container, which is always one of its own. */
export function ofProgram(onContainer: OnContainer): (containerId: string) => void {
  return (containerId) => onContainer({ containerId, start: "cold" });
}

/** Runs a program; its outcome holds what every record of a program does. */
export async function runOnRecord(
  machine: Machine,
  options: ProgramOptions,
): Promise<{ outcome: Outcome; result: ProgramResult }> {
  const start = performance.now();
  const result = await runProgram(machine, options);
  const runUs = Math.round((performance.now() - start) * 1000);
  const { exit, stdout, stderr, containerId } = result;
  const facts = { exit, stdout, stderr, containerId, start: "cold", runUs } as const;
  if (isSuccess(exit)) return { result, outcome: facts };
  return { result, outcome: { ...facts, failure: failureOfExit(exit, options.timeoutMs) } };
}
