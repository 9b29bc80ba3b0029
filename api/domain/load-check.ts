import { endInTime } from "../../runtime/container/program.ts";
import { Capture } from "../../runtime/container/stdio/capture.ts";
import type { FunctionConfig } from "../schema/function.ts";
import { RunletError } from "./errors.ts";
import { failureOf, type HandlerRunOptions, loadTimeoutMs } from "./handler-run.ts";

const shownOutputBytes = 16_384;

/** Loads a function once without calling it. @throws `invalid_argument` with what the code did. */
export async function checkLoad(
  options: Pick<HandlerRunOptions, "pool" | "poolClass" | "task" | "signal"> & {
    limits: FunctionConfig;
  },
  name: string,
): Promise<void> {
  const { pool, poolClass, task, limits, signal } = options;
  const stderr = new Capture(shownOutputBytes);
  const { guest } = await pool.take({ class: poolClass, key: "", signal });
  try {
    guest.capture(new Capture(0), stderr);
    guest.limit(limits);
    using _limit = endInTime(guest.init, loadTimeoutMs, signal);
    const loaded = await guest.load(await task());
    if (loaded.kind === "answered") return;
    signal.throwIfAborted();
    guest.endCapture();
    const { failure, thrown } = failureOf(loaded, loadTimeoutMs);
    const said = thrown?.stack ?? thrown?.message ?? failure.message;
    const output = stderr.text().trim();
    throw new RunletError(
      failure.code === "runtime_failed" ? "runtime_failed" : "invalid_argument",
      `Cannot deploy ${name}: it does not load. ${said}${output && `\n${output}`}`,
    );
  } finally {
    pool.discard(guest);
  }
}
