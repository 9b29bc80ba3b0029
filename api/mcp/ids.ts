import { z } from "zod";

export const sandboxId = z.uuid().describe("The sandbox, as open_sandbox has named it");

export const commandId = z.uuid().describe("The command, as run_command has named it");

/** How long a call may take: clients of the protocol mostly give up after a minute. */
export const timeoutMs = z
  .number()
  .int()
  .min(1)
  .max(900_000)
  .default(50_000)
  .describe("How long it may run, in milliseconds; then it is killed");
