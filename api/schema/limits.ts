import { z } from "@hono/zod-openapi";

const mebibyte = 1024 * 1024;

/** What one run may use. */
export const limits = {
  timeoutMs: z
    .number()
    .int()
    .min(1)
    .max(900_000)
    .default(30_000)
    .openapi({ description: "How long one run may take, milliseconds" }),
  memoryBytes: z
    .number()
    .int()
    .min(32 * mebibyte)
    .max(65_536 * mebibyte)
    .default(256 * mebibyte)
    .openapi({ description: "Memory, what is in /tmp included; past it the run ends with oom" }),
  cpus: z.number().min(0.05).max(64).default(1).openapi({
    description: "Share of processors; 0.5 is half of one",
  }),
  pids: z.number().int().min(16).max(32_768).default(128).openapi({
    description: "Processes and threads inside",
  }),
  tmpBytes: z
    .number()
    .int()
    .min(mebibyte)
    .max(65_536 * mebibyte)
    .default(64 * mebibyte)
    .openapi({ description: "Size of /tmp" }),
  outputBytes: z
    .number()
    .int()
    .min(0)
    .max(64 * mebibyte)
    .default(mebibyte)
    .openapi({ description: "How much of each of stdout and stderr is kept; the rest is cut off" }),
};
