/** How far the two clocks may lie apart before one of them was set: a pause between two looks is no step. */
const toleranceMs = 50;
const maxLooks = 10;
let originMs = performance.timeOrigin;

/**
 * The wall clock in whole microseconds since the epoch, also after somebody has set it or the host has slept. How
 * long something took is for {@link Timeline} or `performance.now()`, which go on evenly.
 */
export function nowUs(): number {
  const elapsedMs = performance.now();
  if (Math.abs(Date.now() - originMs - elapsedMs) > toleranceMs) originMs = newOrigin();
  return Math.round((originMs + elapsedMs) * 1000);
}

function newOrigin(): number {
  for (let look = 0; look < maxLooks; look++) {
    const beforeMs = performance.now();
    const wallMs = Date.now();
    if (performance.now() - beforeMs > 1) continue;
    const isStep = Math.abs(wallMs - originMs - beforeMs) > toleranceMs;
    return isStep ? wallMs - beforeMs : originMs;
  }
  return originMs;
}

/** The moments of one thing: the wall clock at its begin, and later ones after that by what has passed since. */
export class Timeline {
  /** Microseconds since the epoch. */
  readonly beganAtUs: number = nowUs();
  readonly #beganMs = performance.now();

  /** Now, microseconds since the epoch. */
  nowUs(): number {
    return this.beganAtUs + Math.round((performance.now() - this.#beganMs) * 1000);
  }

  /** A moment of a little ago that was read from the wall clock, milliseconds since the epoch. */
  at(wallMs: number): number {
    const agoMs = Math.max(0, Date.now() - wallMs);
    return Math.max(this.beganAtUs, this.nowUs() - agoMs * 1000);
  }
}

/** Tells of steps of the wall clock while nobody asks it. Disposing it ends that. */
export class ClockWatch implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #apartMs = apartMs();

  /** `onStep` is told by how much the clock was set, in microseconds, negative where it was set back. */
  constructor(onStep: (byUs: number) => void) {
    this.#timer = setInterval(() => {
      const now = apartMs();
      const stepMs = now - this.#apartMs;
      if (Math.abs(stepMs) < leastStepMs) return;
      this.#apartMs = now;
      onStep(Math.round(stepMs * 1000));
    }, watchMs).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

const watchMs = 1_000;
/** Less than this is let be: it makes nothing late that anybody would see. */
const leastStepMs = 1_000;

function apartMs(): number {
  return nowUs() / 1000 - performance.now();
}
