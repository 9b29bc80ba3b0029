import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** So often a collection of the young costs some hundredths of the time that the bytes take. */
const collectEveryBytes = 4 * 1024 * 1024;
/**
 * How much the heap may grow before all of it is collected. V8's own measure leaves so little above a heap that was just
 * collected that the young and their buffers fill it: each few megabytes had all of it collected then, for good.
 */
const growingPercent = 200;

let total = 0;
let collectedAt = 0;
let collectYoung: (() => void) | undefined;

/**
 * Notes that bytes have passed through this process, of which nothing is kept. Their buffers are garbage as soon as
 * they are sent on, but V8 sees small objects in a young generation that is far from full; what they hold outside has it
 * collect the whole heap instead, once for each 28 MB or less. Every few megabytes its young generation is collected
 * here, which takes a millisecond.
 */
export function notePassed(bytes: number): void {
  total += bytes;
  if (total - collectedAt < collectEveryBytes) return;
  collectedAt = total;
  collectYoung ??= youngCollector();
  collectYoung();
}

/** How many bytes have passed through this process so far. */
export function passedBytes(): number {
  return total;
}

function youngCollector(): () => void {
  // What buffers hold has a limit of its own otherwise, far below that of the heap.
  setFlagsFromString("--external-memory-accounted-in-global-limit");
  setFlagsFromString(`--heap-growing-percent=${growingPercent}`);
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: object) => void;
  setFlagsFromString("--no-expose-gc");
  return () => collect({ type: "minor", execution: "sync" });
}
