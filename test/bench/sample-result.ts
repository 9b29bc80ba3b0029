import { type BenchResult, type Measurement, resultOf } from "../../bench/harness/result.ts";

/** The result of a measurement that was not taken. */
export function sampleResult(measurement: Partial<Measurement>): BenchResult {
  return resultOf(
    {
      name: "sample",
      unit: "ms",
      better: "lower",
      samples: new Map([
        ["runlet", [2, 1, 3]],
        ["runsc", [40]],
      ]),
      ...measurement,
    },
    {
      skipped: [{ name: "podman", reason: "podman is not installed" }],
      host: {
        cpu: "a processor",
        cores: 2,
        kernel: "6.0",
        runsc: "release",
        platform: "systrap",
        node: "24",
        load: 0.5,
      },
    },
  );
}
