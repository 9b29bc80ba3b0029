import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { driftsOf, type Measure, type Sample } from "./drift.ts";

const steady: Omit<Sample, "atMs"> = {
  memoryBytes: 200e6,
  heapBytes: 50e6,
  descriptors: 60,
  threads: 11,
  processes: 40,
  entries: 120,
  mounts: 0,
  cgroups: 30,
  namespaces: 0,
  p50Ms: 5,
  p99Ms: 50,
};

/** An hour of samples, each as its share of the way has it. */
function hour(sampleAt: (share: number, n: number) => Partial<Sample>): Sample[] {
  const count = 121;
  return Array.from({ length: count }, (_, n) => {
    const share = n / (count - 1);
    return { ...steady, atMs: share * 3_600_000, ...sampleAt(share, n) };
  });
}

function broken(samples: readonly Sample[]): string[] {
  return driftsOf(samples).flatMap(({ measure, holds }) => (holds ? [] : [measure]));
}

suite("drift", () => {
  test("is not what goes up and down, nor a moment that stands out", () => {
    const noisy = hour((_, n) => ({
      memoryBytes: 200e6 + (n % 7) * 10e6,
      heapBytes: 50e6 + (n % 5) * 8e6,
      descriptors: 60 + (n % 3) * 20,
      p99Ms: n === 110 ? 9000 : 50 + (n % 4) * 20,
    }));
    assert.deepEqual(broken(noisy), []);
  });

  test("is not what rises for long and is collected then", () => {
    const late = hour((share) => ({ memoryBytes: share < 0.85 ? 200e6 + share * 120e6 : 190e6 }));
    assert.deepEqual(broken(late), []);
  });

  const growing: Partial<Record<Measure, number>> = {
    memoryBytes: 100e6,
    heapBytes: 60e6,
    descriptors: 60,
    threads: 30,
    processes: 60,
    entries: 400,
    mounts: 20,
    cgroups: 60,
    namespaces: 20,
    p50Ms: 20,
    p99Ms: 200,
  };
  for (const [measure, more] of Object.entries(growing) as [Measure, number][]) {
    test(`is ${measure} that grows with time, and it is told how fast`, () => {
      const samples = hour((share) => ({ [measure]: steady[measure] + share * more }));
      assert.deepEqual(broken(samples), [measure]);
      const { perHour } = driftsOf(samples).find((each) => each.measure === measure) ?? {};
      assert.ok(Math.abs((perHour ?? 0) / more - 1) < 0.01, `${perHour} of ${more}`);
    });
  }
});
