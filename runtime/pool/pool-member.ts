/** What a stock must be able to do with what it holds. */
export interface PoolMember {
  readonly init: { wait(): Promise<unknown> };
  readonly isAlive: boolean;
  /** Waits until its first process has come up. */
  ready(signal?: AbortSignal): Promise<void>;
  freeze(): void;
  thaw(): void;
}
