type Next<T> = IteratorResult<T> | undefined;

/**
 * Passes pieces on until there are no more or `over` settles. Then whoever takes them is gone, and who sends them may
 * not say another word.
 */
export async function* piecesUntil<T>(
  content: AsyncIterable<T>,
  over: Promise<unknown>,
): AsyncGenerator<T> {
  const pieces = content[Symbol.asyncIterator]();
  // Racing with a promise that lives as long as this would keep something of each piece.
  const state: { isOver: boolean; waiting?: PromiseWithResolvers<Next<T>> } = { isOver: false };
  const end = (): void => {
    state.isOver = true;
    state.waiting?.resolve(undefined);
  };
  over.then(end, end);
  try {
    while (!state.isOver) {
      const waiting = Promise.withResolvers<Next<T>>();
      state.waiting = waiting;
      pieces.next().then(waiting.resolve, waiting.reject);
      const next = await waiting.promise;
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  } finally {
    // Where a piece is still waited for, this is heeded behind it.
    void pieces.return?.().catch(() => undefined);
  }
}
