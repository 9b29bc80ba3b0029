import { access, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, RunletError } from "../errors.ts";
import type { Spec } from "../oci/spec.ts";
import { erofsSource } from "../oci/spec-options.ts";
import { RunscError } from "../runsc/error.ts";
import type { InitOptions } from "./init-options.ts";

/** Stands in a checkpoint that is whole, since it is written last. */
const specFile = "spec.json";
/** What runsc itself looks for. */
const imageFile = "checkpoint.img";

/**
 * Makes a directory of a checkpoint: what `write` puts there, and the spec of the container. Nobody but its
 * owner can look into it, since the container's memory is there. On failure nothing of it is left.
 * @throws `already_exists`, `resource_exhausted` if the disk is full, `unavailable`.
 */
export async function writeCheckpoint(
  directory: string,
  { id, spec }: Pick<InitOptions, "id" | "spec">,
  write: () => Promise<void>,
): Promise<void> {
  const what = `Cannot checkpoint container ${id}`;
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (cause) {
    const isTaken = (cause as NodeJS.ErrnoException).code === "EEXIST";
    const fact = isTaken ? `${directory} is there already. Take a new one` : messageOf(cause);
    throw new RunletError(isTaken ? "already_exists" : "unavailable", `${what}: ${fact}`, {
      cause,
    });
  }
  try {
    await write();
    await assertWritten(directory);
    await writeFile(join(directory, specFile), JSON.stringify(spec), { mode: 0o600 });
  } catch (cause) {
    await rm(directory, { recursive: true, force: true });
    if (!isDiskFull(cause)) throw cause;
    const fact = `the disk of ${directory} is full. Make room; the container goes on`;
    throw new RunletError("resource_exhausted", `${what}: ${fact}`, { cause });
  }
}

/** What runsc has written last. @throws RunscError where it has said that it did, and has not. */
async function assertWritten(directory: string): Promise<void> {
  await access(join(directory, imageFile)).catch((cause: unknown) => {
    throw new RunscError("checkpoint", "it has written nothing", 0, { cause });
  });
}

/**
 * Checks that what the spec of a checkpoint is made of is there.
 * @throws `failed_precondition` if its root is gone, or another has taken its place.
 */
export async function assertRestorable({ annotations }: Spec): Promise<void> {
  const root = annotations?.[erofsSource];
  if (root === undefined) return;
  await access(root).catch((cause: unknown) => {
    const fact = "its image has been removed or replaced since. Add the same one again";
    throw new RunletError("failed_precondition", `Cannot restore a container: ${fact}`, { cause });
  });
}

/**
 * The spec of the container in a checkpoint, which one that goes on from it must have.
 * @throws `not_found` if there is no checkpoint, or none that is whole.
 */
export async function specOfCheckpoint(directory: string): Promise<Spec> {
  try {
    return JSON.parse(await readFile(join(directory, specFile), "utf8")) as Spec;
  } catch (cause) {
    const fact = `${directory} holds no whole checkpoint`;
    throw new RunletError("not_found", `Cannot restore a container: ${fact}`, { cause });
  }
}

/**
 * Refuses what runsc would save and could not restore. It takes a saved socket of the host for the descriptor
 * that has the same number in the new sandbox, whatever that is: a guest that can hold one must not be saved,
 * and is not asked to close it first.
 * @throws `failed_precondition`.
 */
export function checkCheckpointable(options: InitOptions, liveExecs: number): void {
  const { id, channel, hostUds, stdio, subcontainer } = options;
  const obstacles: [boolean, string][] = [
    [channel === true, "its channel is a socket of the host. Give it one on its stdio"],
    [hostUds !== undefined, "it may hold a socket of the host"],
    [stdio.kind === "console", "its stdio is a terminal of the host. Give it pipes"],
    [subcontainer === true, "it is one of several in its sandbox"],
    [
      liveExecs > 0,
      `${liveExecs} of its processes hold pipes of the host. End what exec has started`,
    ],
  ];
  const obstacle = obstacles.find(([isThere]) => isThere);
  if (obstacle === undefined) return;
  throw new RunletError("failed_precondition", `Cannot checkpoint container ${id}: ${obstacle[1]}`);
}

function isDiskFull(error: unknown): boolean {
  const isFull = error instanceof RunscError && error.reason.includes("no space left on device");
  return isFull || (error as NodeJS.ErrnoException).code === "ENOSPC";
}
