import type { PeerName } from "../peers/names.ts";
import type { Peers } from "../peers/peers.ts";
import type { Measurement } from "./result.ts";

/** What a bench is run with. */
export interface Context {
  /** How much is measured; each bench says what of. */
  readonly runs: number;
  /** How long one sample of a rate takes, milliseconds. */
  readonly windowMs: number;
  readonly signal: AbortSignal;
  /** Tells how far the bench is; may be called often. */
  readonly progress: (text: string) => void;
  /** A directory of this bench, removed after it. */
  readonly directory: string;
  /** Holds what the bench acquires; it is released after the bench, however that ends. */
  readonly stack: AsyncDisposableStack;
  readonly peers: Peers;
}

/** One promise as a program that measures it. */
export interface Bench {
  readonly name: string;
  /** One sentence for the list. */
  readonly summary: string;
  /** The peers that it can be run against. */
  readonly peers: readonly PeerName[];
  readonly defaultRuns: number;
  /** What `--runs` counts. */
  readonly counts: string;
  readonly run: (context: Context) => Promise<readonly Measurement[]>;
}
