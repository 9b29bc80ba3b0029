import { parseArgs } from "node:util";
import { isHeld, textOf } from "./report.ts";
import { soak } from "./soak.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    invocations: { type: "string", default: "0" },
    sandboxes: { type: "string", default: "0" },
  },
});
const [invocations, sandboxes] = [Number(values.invocations), Number(values.sandboxes)];
// Without any of them it is twenty minutes.
const isCounted = invocations + sandboxes > 0;
const minutes = Number(values.minutes ?? (isCounted ? 0 : 20));
// One that is ended early tells of what it has seen so far.
const end = new AbortController();
process.on("SIGTERM", () => end.abort());
const mebibyte = 1024 * 1024;

const report = await soak({
  forMs: minutes * 60_000,
  invocations,
  sandboxes,
  signal: end.signal,
  keepAliveMs: 20_000,
  warmUpMs: 60_000,
  sampleEveryMs: 5_000,
  idleTimeoutMs: 180_000,
  moreMemoryBytes: 20 * mebibyte,
  stock: 12,
  onSample: (sample, { answered, accepted, sandboxes: opened }) => {
    const { atMs, memoryBytes, heapBytes, descriptors, processes, cgroups, p50Ms, p99Ms } = sample;
    const [memory, heap] = [memoryBytes, heapBytes].map((bytes) => Math.round(bytes / mebibyte));
    console.log(
      `${Math.round(atMs / 1000)} s: ${answered} answered, ${accepted} accepted, ${opened} sandboxes; ` +
        `${memory} MiB, ${heap} of it heap; ${descriptors} descriptors, ${processes} processes, ` +
        `${cgroups} cgroups; p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`,
    );
  },
});
console.log(`\n${textOf(report)}`);
if (!isHeld(report)) process.exitCode = 1;
