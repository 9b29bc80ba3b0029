import type { CommandEvent, SandboxCommand } from "../schema/sandbox-command.ts";
import { size } from "./format.ts";
import { OutputWriter } from "./terminal.ts";

interface Followed {
  /** Prints each event as a line of JSON instead of what it tells. */
  json?: boolean | undefined;
  /** Told of the command once it runs. */
  onStart?: (command: SandboxCommand) => void;
}

/**
 * Prints what a command of a sandbox writes as it comes, and answers how it ended.
 * @throws Error if nobody can tell.
 */
export async function printFollowed(
  events: AsyncIterable<CommandEvent>,
  { json = false, onStart = () => {} }: Followed,
): Promise<SandboxCommand> {
  const output = new OutputWriter();
  for await (const event of events) {
    if (json) process.stdout.write(`${JSON.stringify(event)}\n`);
    else if (event.type === "output") {
      const stream = event.stream === "stderr" ? "stderr" : "stdout";
      output.write(stream, event.text, event.encoding);
    } else if (event.type === "dropped") {
      process.stderr.write(`[${size(event.bytes)} of its output are not kept]\n`);
    }
    if (event.type === "started") onStart(event.command);
    if (event.type === "exit") return event.command;
    if (event.type === "gone") throw new Error(event.message);
  }
  throw new Error("Cannot tell how the command ended: the server went away");
}

/** As a shell has it: 128 + n for signal n, and 124 for a timeout as timeout(1). */
export function exitCodeOfCommand({ exitCode = 1, reason }: SandboxCommand): number {
  return reason === "timeout" ? 124 : exitCode;
}

/** How a command of a sandbox ended, in a word or two. */
export function endOfCommand({ exitCode, signal, reason }: SandboxCommand): string {
  if (reason === undefined) return "running";
  if (reason !== "exited" && reason !== "signaled") return reason;
  return signal ?? `exit ${exitCode}`;
}
