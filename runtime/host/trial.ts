import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { newContainerId } from "../container/id.ts";
import { within } from "../deadline.ts";
import { messageOf } from "../errors.ts";
import { Bundle } from "../oci/bundle.ts";
import { withProcess, withRootDirectory } from "../oci/spec-options.ts";
import { buildSpec } from "../oci/spec.ts";
import { Runsc } from "../runsc/runsc.ts";
import type { HostCheck } from "./host-check.ts";
import type { Platform } from "./platform.ts";

export interface TrialOptions {
  binary: string;
  platform: Platform;
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
}

/** Runs `true` in a container on the host's own files, and takes everything away again. */
export async function tryContainer(options: TrialOptions): Promise<HostCheck> {
  const name = "trial container";
  try {
    const ms = await runTrue(options);
    return { name, status: "ok", found: `started and ended in ${Math.round(ms)} ms` };
  } catch (error) {
    options.signal?.throwIfAborted();
    return {
      name,
      status: "error",
      found: messageOf(error),
      advice:
        "Mend the errors above first. In a container, runsc needs `--privileged` of the outer one",
    };
  }
}

/** @throws what runsc says, or `deadline_exceeded`. */
async function runTrue({
  binary,
  platform,
  timeoutMs = 20_000,
  signal,
}: TrialOptions): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "runlet-trial-"));
  stack.defer(async () => await rm(directory, { recursive: true, force: true }));
  const runsc = new Runsc({ binary, root: directory, flags: { platform } });
  const id = newContainerId();
  const spec = buildSpec(
    withRootDirectory("/"),
    withProcess({ args: ["true"], cwd: "/", env: [path] }),
  );
  const bundle = stack.use(Bundle.create(directory, id, spec));
  const startedAt = performance.now();
  const process = await runsc.run(id, { bundle: bundle.path }, ["ignore", "ignore", "pipe"]);
  const said = process.stderr ? text(process.stderr) : Promise.resolve("");
  said.catch(() => undefined);
  stack.defer(async () => process.forget());
  try {
    const end = await within(process.exited, "run a trial container", timeoutMs, signal);
    if (end.code === 0) return performance.now() - startedAt;
    const reason = process.lastError() ?? (await within(said, "read what runsc says", 1000)).trim();
    throw new Error(reason || `runsc run ended with ${end.code ?? end.signal}`);
  } catch (error) {
    process.kill("SIGKILL");
    await runsc.delete(id, { force: true }).catch(() => undefined);
    throw error;
  }
}

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
