import { Wakeup } from "../../../runtime/wakeup.ts";
import type { SandboxEventRow, SandboxStore } from "../../../store/sandboxes.ts";
import type { SandboxEvent } from "../../schema/sandbox.ts";
import { RunletError } from "../errors.ts";
import { type Page, pageOf } from "../page.ts";
import type { Sandboxes } from "./sandboxes.ts";

/** Which events are meant: those of one sandbox or of all, behind the event of a number. */
interface Part {
  readonly sandboxId?: string | undefined;
  readonly after?: number | undefined;
}

/** Each holds a connection open. */
const maxFollowers = 100;

/** What has happened to sandboxes, as it is on record and as it goes on. Disposing it ends those who follow. */
export class SandboxEvents implements Disposable {
  readonly #store: SandboxStore;
  readonly #sandboxes: Sandboxes;
  readonly #followers = new Set<SandboxEventFollower>();
  #isClosed = false;

  constructor(store: SandboxStore, sandboxes: Sandboxes) {
    this.#store = store;
    this.#sandboxes = sandboxes;
  }

  /** The oldest first. @throws `not_found`. */
  list({ sandboxId, after = 0, limit }: Part & { limit: number }): Page<SandboxEvent> {
    if (sandboxId !== undefined) this.#sandboxes.get(sandboxId);
    const rows = this.#store.events(sandboxId, after, limit + 1);
    return pageOf(rows, limit, { item: sandboxEventOf, cursor: ({ seq }) => String(seq) });
  }

  /** Those on record, then those that come; of one sandbox, to its end; of all, from now on unless `after` is said. @throws `not_found`, `resource_exhausted`. */
  follow(part: Part): SandboxEventFollower {
    if (part.sandboxId !== undefined) this.#sandboxes.get(part.sandboxId);
    if (this.#followers.size >= maxFollowers) {
      throw new RunletError(
        "resource_exhausted",
        `Cannot follow: ${maxFollowers} follow sandboxes already. Try again when one has ended`,
      );
    }
    const follower = new SandboxEventFollower(this.#store, part, () =>
      this.#followers.delete(follower),
    );
    if (this.#isClosed) follower[Symbol.dispose]();
    else this.#followers.add(follower);
    return follower;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const follower of this.#followers) follower[Symbol.dispose]();
  }
}

/** One who is told of events. They wait on record and not in memory, however slowly they are taken. */
export class SandboxEventFollower implements Disposable {
  readonly #store: SandboxStore;
  readonly #sandboxId: string | undefined;
  readonly #onClose: () => void;
  readonly #wakeup = new Wakeup();
  readonly #unlisten: () => void;
  #after: number;
  #isOver = false;

  constructor(store: SandboxStore, { sandboxId, after }: Part, onClose: () => void) {
    this.#store = store;
    this.#sandboxId = sandboxId;
    this.#after = after ?? (sandboxId === undefined ? store.lastSeq() : 0);
    this.#onClose = onClose;
    this.#unlisten = store.onEvents(() => this.#wakeup.wake());
  }

  /** The next event, as soon as there is one; undefined once there will be none. One caller at a time. */
  async next(): Promise<SandboxEvent | undefined> {
    while (!this.#isOver) {
      const [row] = this.#store.events(this.#sandboxId, this.#after, 1);
      if (row === undefined) {
        await this.#wakeup.next();
        continue;
      }
      this.#after = row.seq;
      if (this.#sandboxId !== undefined && row.type === "ended") this[Symbol.dispose]();
      return sandboxEventOf(row);
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#unlisten();
    this.#onClose();
    this.#wakeup.wake();
  }
}

/** An event as callers see it. */
export function sandboxEventOf({ detail, type, ...row }: SandboxEventRow): SandboxEvent {
  return { ...row, type: type as SandboxEvent["type"], ...(detail !== null && { detail }) };
}
