import { z } from "zod";

/** OCI state of one container as `runsc state` prints it. */
export const stateAnswer = z.object({
  id: z.string(),
  status: z.string(),
  pid: z.number(),
  bundle: z.string(),
});
export type ContainerState = z.infer<typeof stateAnswer>;

/** `runsc list` prints null where there is no container. */
export const listAnswer = z.array(stateAnswer).nullable();

export const waitAnswer = z.object({ exitStatus: z.number().int() });

export const psAnswer = z.array(z.number().int()).nullable();

/** Usage of one container as `runsc events --stats` prints it; CPU is in nanoseconds. */
export const statsAnswer = z.object({
  type: z.literal("stats"),
  data: z.object({
    cpu: z.object({ usage: z.object({ total: z.number().optional() }) }),
    memory: z.object({ usage: z.object({ usage: z.number().optional() }).optional() }),
    pids: z.object({ current: z.number().optional() }),
  }),
});

/** Usage of one container. */
export interface ContainerStats {
  cpuNs: number;
  memoryBytes: number;
  pids: number;
}
