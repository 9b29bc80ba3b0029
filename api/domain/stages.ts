import type { Invocation } from "../schema/invocation.ts";

/** The stages that an invocation went through, in their order, and how long each took in microseconds. */
export function stagesOf(record: Invocation): [stage: string, us: number][] {
  const { queueUs, takeUs, initUs, runUs, recordUs } = record;
  const stages: [string, number | undefined][] = [
    ["queue", queueUs],
    ["take", takeUs],
    ["init", initUs],
    ["run", runUs],
    ["record", recordUs],
  ];
  return stages.filter((stage): stage is [string, number] => stage[1] !== undefined);
}
