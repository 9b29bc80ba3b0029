import type { Duplex } from "node:stream";
import { within } from "../../runtime/deadline.ts";
import { Channel } from "../../runtime/guest/channel.ts";
import { event, source } from "../harness/workload.ts";

const answerTimeoutMs = 120_000;

export interface RunnerOptions {
  signal: AbortSignal;
  /** Where the runner writes the code to, if not to its own `/tmp`. */
  root?: string;
}

/** Gives a runner the function and one event, all at once, and waits for the result. */
export async function callRunner(socket: unknown, options: RunnerOptions): Promise<Channel> {
  const { signal, root } = options;
  const channel = new Channel(socket as Duplex);
  const body = Buffer.from(source);
  await channel.send(
    {
      type: "load",
      files: [{ path: "index.mjs", mode: 0o644, size: body.length }],
      ...(root !== undefined && { root }),
      env: {},
      functionName: "bench",
      functionVersion: "1",
      memoryBytes: 256 * 1024 * 1024,
    },
    body,
  );
  const deadlineAtMs = Date.now() + answerTimeoutMs;
  await channel.send({ type: "invoke", id: "bench", deadlineAtMs }, Buffer.from(event));
  for (const expected of ["hello", "loaded", "result"]) await expect(channel, expected, signal);
  return channel;
}

/** Waits for a runner that comes up. */
export async function awaitRunner(socket: unknown, signal: AbortSignal): Promise<Channel> {
  const channel = new Channel(socket as Duplex);
  await expect(channel, "hello", signal);
  return channel;
}

async function expect(channel: Channel, type: string, signal: AbortSignal): Promise<void> {
  const received = await within(channel.next(), "hear the runner", answerTimeoutMs, signal);
  if (received?.message.type === type) return;
  throw new Error(`A runner said ${received?.message.type ?? "nothing"} instead of ${type}`);
}
