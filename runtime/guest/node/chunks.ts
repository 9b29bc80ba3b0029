import { Buffer } from "node:buffer";

/** What brings an answer piece by piece. */
export type Source = AsyncIterator<unknown> | Iterator<unknown>;

type Step = IteratorResult<unknown>;

const isView = ArrayBuffer.isView.bind(ArrayBuffer);

/** A body that is there is read within five; one that is not, is waited for no longer than this. */
const promptTurns = 16;

/** Goes through a stream, a generator or any other async iterable; undefined for all other values. */
export function sourceOf(value: object): Source | undefined {
  const iterable = value as Partial<AsyncIterable<unknown> & Iterable<unknown>>;
  const start = iterable[Symbol.asyncIterator];
  if (typeof start === "function") return start.call(value);
  // A list is a value as any other: only what can be gone through once is a stream.
  const isOnceOnly = typeof (value as { next?: unknown }).next === "function";
  return isOnceOnly ? iterable[Symbol.iterator]?.call(value) : undefined;
}

/**
 * The bytes of what a source brings, after those steps of it that were taken already.
 * @throws TypeError for what is neither text nor bytes, whatever the source throws.
 */
export function chunksOf(
  taken: readonly (Step | Promise<Step>)[],
  source: Source,
): AsyncIterable<Uint8Array> {
  return goThrough([...taken], source);
}

/** Text and bytes as bytes. @throws TypeError for anything else. */
export function toBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === "string") return Buffer.from(chunk);
  if (isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  const what = chunk === null ? "null" : `a value of type ${typeof chunk}`;
  throw new TypeError(`Cannot stream ${what}: the chunks of an answer are text or bytes`);
}

/** The next step of a source that has it already, undefined where it is to be waited for. */
export async function promptly(step: Promise<Step>): Promise<Step | undefined> {
  const state = { isSettled: false };
  const settle = (): void => {
    state.isSettled = true;
  };
  step.then(settle, settle);
  for (let turn = 0; turn < promptTurns && !state.isSettled; turn++) await Promise.resolve();
  return state.isSettled ? await step : undefined;
}

async function* goThrough(
  taken: (Step | Promise<Step>)[],
  source: Source,
): AsyncGenerator<Uint8Array, void> {
  for (;;) {
    const step = await (taken.shift() ?? source.next());
    if (step.done === true) return;
    let isSent = false;
    try {
      yield toBytes(step.value);
      isSent = true;
    } finally {
      // Nobody goes on with it, and what it holds is to be let go.
      if (!isSent) await source.return?.();
    }
  }
}
