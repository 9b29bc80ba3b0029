/** How far a long piece of work has come; `totalBytes` is undefined where nobody can know it. */
export interface Progress {
  readonly phase: string;
  readonly doneBytes: number;
  readonly totalBytes: number | undefined;
}

/** Whoever watches a long piece of work. */
export type OnProgress = (progress: Progress) => void;
