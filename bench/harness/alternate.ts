/** One of several that are measured in turns. */
export interface Contestant {
  readonly name: string;
  /** How many samples are to be taken of it in all. */
  readonly samples: number;
  /** Takes one sample. */
  readonly sample: (signal: AbortSignal) => Promise<number>;
  /** Starts what is to run beside its samples, once it has settled; disposed at the end of its turn. */
  readonly beside?: () => Promise<AsyncDisposable>;
  /** Waits, untimed, until nothing of it is under way: before each chunk of samples, and after its turn. */
  readonly settle?: (signal: AbortSignal) => Promise<void>;
  /** How many samples may follow each other without settling; its whole turn by default. */
  readonly chunk?: number;
}

export interface AlternateOptions {
  signal: AbortSignal;
  progress: (text: string) => void;
  /** How many turns each has at most. */
  rounds?: number;
  /**
   * For how long samples do not count at the beginning of each turn, none by default. Whoever has slept finds its
   * memory cold, and in a virtual machine perhaps given to others: where 64 MB are touched in 2 ms, 58 were seen after
   * a second of sleep.
   */
  warmUpMs?: number;
}

/**
 * Measures contestants in turns (A B A B), so that whatever else happens on the machine happens to all of
 * them. Answers the samples by name.
 * @throws what a contestant throws, the signal's reason.
 */
export async function alternate(
  contestants: readonly Contestant[],
  options: AlternateOptions,
): Promise<Map<string, number[]>> {
  const most = Math.max(...contestants.map(({ samples }) => samples));
  const rounds = Math.max(1, Math.min(options.rounds ?? 10, most));
  const taken = new Map<string, number[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const contestant of contestants) {
      const samples = taken.get(contestant.name) ?? [];
      const upTo = Math.ceil((contestant.samples * round) / rounds);
      await takeTurn(contestant, samples, upTo, {
        ...options,
        progress: (text) => options.progress(`round ${round} of ${rounds}: ${text}`),
      });
    }
  }
  return taken;
}

async function takeTurn(
  contestant: Contestant,
  samples: number[],
  upTo: number,
  options: AlternateOptions,
): Promise<void> {
  await contestant.settle?.(options.signal);
  await takeSamples(contestant, samples, upTo, options);
  await contestant.settle?.(options.signal);
}

async function takeSamples(
  { name, sample, settle, beside, chunk = Infinity }: Contestant,
  samples: number[],
  upTo: number,
  { signal, progress, warmUpMs = 0 }: AlternateOptions,
): Promise<void> {
  await using _beside = await beside?.();
  const warmAtMs = performance.now() + warmUpMs;
  while (performance.now() < warmAtMs) await sample(signal);
  for (let inTurn = 0; samples.length < upTo; inTurn++) {
    signal.throwIfAborted();
    progress(`${name} ${samples.length + 1} of ${upTo}`);
    if (inTurn > 0 && inTurn % chunk === 0) await settle?.(signal);
    samples.push(await sample(signal));
  }
}
