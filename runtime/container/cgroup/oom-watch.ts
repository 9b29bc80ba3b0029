/** What has processes that may be killed for want of memory. */
interface Watched {
  oomKills(): number;
}

/** A look takes 20 us. */
const intervalMs = 250;

/**
 * Looks out for OOM kills. The kernel takes the sentry first, by its score, and the container is over with it.
 * Should it take another process of the sandbox, the rest would hang and nobody would say so.
 */
export class OomWatch {
  readonly #watched = new Map<Watched, () => void>();
  #timer: NodeJS.Timeout | undefined;

  /** Calls `listener` once, after the first kill. */
  add(watched: Watched, listener: () => void): void {
    this.#watched.set(watched, listener);
    this.#timer ??= setInterval(() => this.#look(), intervalMs).unref();
  }

  /** Harmless where nothing is watched. */
  delete(watched: Watched): void {
    this.#watched.delete(watched);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    for (const [watched, listener] of this.#watched) {
      if (watched.oomKills() === 0) continue;
      this.delete(watched);
      listener();
    }
  }
}
