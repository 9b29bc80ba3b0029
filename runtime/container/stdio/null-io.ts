import type { DescriptorSource } from "../../runsc/process.ts";
import type { Io } from "./stdio.ts";

/** Streams that reach the process as descriptors 0, 1 and 2 of its spawn. */
export interface DescriptorIo extends Io {
  readonly descriptors: readonly DescriptorSource[];
  /** Closes the host's copies of what the child has got; call right after the spawn. */
  handOver(): void;
}

/** No streams: /dev/null on all three. */
export function nullIo(): DescriptorIo {
  return {
    descriptors: ["ignore", "ignore", "ignore"],
    stdin: undefined,
    stdout: undefined,
    stderr: undefined,
    handOver: () => undefined,
    close: () => undefined,
  };
}
