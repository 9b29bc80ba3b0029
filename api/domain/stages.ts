import type { Invocation } from "../schema/invocation.ts";

/** What a record knows of its times, as far as it has come. */
export type Times = Partial<
  Pick<Invocation, "queueUs" | "takeUs" | "initUs" | "runUs" | "recordUs">
>;

/** The stages that an invocation went through, in their order, and how long each took in microseconds. */
export function stagesOf(times: Times): [stage: string, us: number][] {
  const { queueUs, takeUs, initUs, runUs, recordUs } = times;
  const stages: [string, number | undefined][] = [
    ["queue", queueUs],
    ["take", takeUs],
    ["init", initUs],
    ["run", runUs],
    ["record", recordUs],
  ];
  return stages.filter((stage): stage is [string, number] => stage[1] !== undefined);
}
