import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "../../client/client.ts";
import { ApiError } from "../../client/errors.ts";
import { deployment } from "../deployment.ts";
import { readInput } from "../input.ts";
import { eventFile } from "../project.ts";
import { LiveOutput } from "./live-output.ts";
import type { Report } from "./report.ts";

/** What is done at each save. */
export interface RoundOptions {
  directory: string;
  name?: string | undefined;
  /** A file with the event; the directory's `event.json` by default, and `{}` without one. */
  event?: string | undefined;
  invoke: boolean;
}

/**
 * Deploys a directory as it is, invokes it, and tells of both and of what the function writes, until the client's
 * signal ends it. Code that does not load is found by the invocation, which is sooner than by a check.
 * @throws what refuses the deployment or the invocation.
 */
export async function playRound(
  client: Client,
  report: Report,
  options: RoundOptions,
): Promise<void> {
  const { directory, invoke } = options;
  const startedAt = performance.now();
  const { name, spec } = await deployment({ path: directory, name: options.name });
  const { version, created } = await client.deploy(name, spec, { check: false });
  report.deployed({ ...version, created }, performance.now() - startedAt);
  const output = await LiveOutput.follow(client, name, report);
  const play = async (): Promise<void> => {
    const event = await eventOf(directory, options.event);
    let id: string | undefined;
    try {
      const request = { event, qualifier: String(version.version) };
      const answer = await client.invokeStream(name, request);
      id = answer.invocationId;
      await report.answered(answer);
    } catch (error) {
      if (error instanceof ApiError) id = error.problem.invocationId;
      throw error;
    } finally {
      if (id !== undefined) {
        await output.toldOf(id);
        report.invoked(await client.invocation(id));
      }
    }
  };
  await Promise.all([output.done, invoke && play()]);
}

async function eventOf(directory: string, file: string | undefined): Promise<string | Uint8Array> {
  if (file !== undefined) return await readInput(file);
  return await readFile(join(directory, eventFile)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "{}";
    throw error;
  });
}
