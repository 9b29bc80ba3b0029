import { nowUs } from "../../../runtime/clock.ts";
import type { EventRow } from "../../../store/event-row.ts";
import type { DeadLetter, DeadLetterFilter, Event } from "../../schema/event.ts";
import { RunletError } from "../errors.ts";
import type { Invocations } from "../invocations.ts";
import type { Page } from "../page.ts";
import { encodedText } from "../text.ts";
import type { EventQueue } from "./event-queue.ts";
import { eventPage, toEvent } from "./event-view.ts";

export interface DeadLettersOptions {
  queue: EventQueue;
  invocations: Invocations;
  /** Told when events are due again. */
  onQueued: () => void;
}

/** How many dead letters one write changes. */
const batch = 200;

/** The events that were given up: showing, driving again, removing. They stay until one of these is done. */
export class DeadLetters {
  readonly #options: DeadLettersOptions;

  constructor(options: DeadLettersOptions) {
    this.#options = options;
  }

  async list(filter: DeadLetterFilter): Promise<Page<Event>> {
    const { function: functionName, ...page } = filter;
    return await eventPage(this.#options.queue, { ...page, functionName, state: "dead" });
  }

  /** One dead letter with its event's body. @throws `not_found`. */
  async get(id: string): Promise<DeadLetter> {
    const row = await this.#find(id);
    const { text, encoding } = encodedText(row.body ?? new Uint8Array());
    const invocations = this.#options.invocations.ofEvent(id);
    return { ...toEvent(row), invocations, body: text, bodyEncoding: encoding };
  }

  /** Queues a dead letter's event anew, with all its attempts and its whole age before it. @throws `not_found`. */
  async redrive(id: string): Promise<Event> {
    await this.#find(id);
    await this.#options.queue.redrive([id], nowUs());
    this.#options.onQueued();
    const row = await this.#options.queue.get(id);
    if (row === undefined) throw missing(id);
    return toEvent(row);
  }

  /** Queues all dead letters of a function anew, and answers how many there were. */
  async redriveAll(functionName: string): Promise<number> {
    const { queue, onQueued } = this.#options;
    const atUs = nowUs();
    return await this.#each(functionName, async (ids) => {
      const count = await queue.redrive(ids, atUs);
      onQueued();
      return count;
    });
  }

  /** Removes a dead letter. @throws `not_found`. */
  async remove(id: string): Promise<void> {
    if ((await this.#options.queue.removeDead([id])) === 0) throw missing(id);
  }

  /** Removes all dead letters of a function, and answers how many there were. */
  async purge(functionName: string): Promise<number> {
    return await this.#each(functionName, async (ids) => await this.#options.queue.removeDead(ids));
  }

  /** Each dead letter is met once, newest first, also where one dies again meanwhile. */
  async #each(
    functionName: string,
    change: (ids: readonly string[]) => Promise<number>,
  ): Promise<number> {
    let count = 0;
    for (let before: string | undefined; ;) {
      const filter = { functionName, state: "dead", before, limit: batch } as const;
      const ids = (await this.#options.queue.list(filter)).map(({ id }) => id);
      if (ids.length === 0) return count;
      count += await change(ids);
      before = ids.at(-1);
    }
  }

  async #find(id: string): Promise<EventRow> {
    const row = await this.#options.queue.get(id);
    if (row?.state === "dead") return row;
    throw missing(id);
  }
}

function missing(id: string): RunletError {
  return new RunletError("not_found", `Cannot find dead letter ${id}: no such event is dead`);
}
