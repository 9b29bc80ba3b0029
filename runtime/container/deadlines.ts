/** Bounds on the parts of a container's life, all in milliseconds. */
export interface Deadlines {
  readonly createMs: number;
  readonly startMs: number;
  /** One runsc call of a signal; after it the sandbox itself is killed where the signal was SIGKILL. */
  readonly signalMs: number;
  readonly pauseMs: number;
  readonly checkpointMs: number;
  readonly statusMs: number;
  /** From the death of the sandbox to the word of it. */
  readonly exitMs: number;
  /** For output that a process left behind may hold open. */
  readonly drainMs: number;
  /** One runsc call that removes a container. */
  readonly deleteMs: number;
}

/** Bounds that a loaded machine keeps with ease. */
export const defaultDeadlines: Deadlines = {
  createMs: 30_000,
  startMs: 30_000,
  signalMs: 5_000,
  pauseMs: 10_000,
  checkpointMs: 120_000,
  statusMs: 5_000,
  exitMs: 5_000,
  drainMs: 2_000,
  deleteMs: 15_000,
};
