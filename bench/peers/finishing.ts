import type { Child } from "../harness/child.ts";
import type { Timed } from "./peer.ts";

/** Times a process from its start to its end, which must be with 0. */
export async function finishing(start: () => Promise<Child>, signal: AbortSignal): Promise<Timed> {
  const startedAtMs = performance.now();
  await using child = await start();
  await child.end(signal);
  const answeredAtMs = performance.now();
  const { exitCode, signalCode, spawnfile } = child.process;
  if (exitCode === 0) return { startedAtMs, answeredAtMs };
  throw new Error(`Cannot measure ${spawnfile}: it ended with ${signalCode ?? exitCode}`);
}
