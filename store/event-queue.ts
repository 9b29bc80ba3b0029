import type { RecordWriter } from "./batch.ts";
import type {
  EventDepth,
  EventEnd,
  EventError,
  EventFilter,
  EventKind,
  EventRow,
  EventSummary,
  LeaseTurn,
  NewEvent,
  Reschedule,
} from "./event-row.ts";
import type { EventStore } from "./events.ts";

/**
 * The queue of events on the record: what a method answers was committed before. A write of the same turn of
 * the event loop, such as that of the schedule that an event comes from, is in the same transaction.
 */
export class RecordedEventQueue {
  readonly #store: EventStore;
  readonly #writer: RecordWriter;

  constructor(store: EventStore, writer: RecordWriter) {
    this.#store = store;
    this.#writer = writer;
  }

  async accept(event: NewEvent): Promise<boolean> {
    return await this.#writer.write(() => this.#store.insert(event));
  }

  async acceptAll(events: readonly NewEvent[], along: () => void): Promise<void> {
    await this.#writer.write(() => {
      for (const event of events) this.#store.insert(event);
      along();
    });
  }

  async lease(turn: LeaseTurn): Promise<EventRow | undefined> {
    return await this.#writer.write(() => this.#store.lease(turn));
  }

  async reschedule(id: string, how: Reschedule): Promise<boolean> {
    return await this.#writer.write(() => this.#store.reschedule(id, how));
  }

  async finish(id: string, end: EventEnd, followUps: readonly NewEvent[]): Promise<boolean> {
    return await this.#writer.write(() => this.#store.finish(id, end, followUps));
  }

  async recover(kind: EventKind, atUs: number, error: EventError): Promise<number> {
    return await this.#writer.write(() => this.#store.recover(kind, atUs, error));
  }

  async cancel(id: string): Promise<boolean> {
    return await this.#writer.write(() => this.#store.removeQueued(id));
  }

  async redrive(ids: readonly string[], atUs: number): Promise<number> {
    return await this.#writer.write(() => this.#store.redrive(ids, atUs));
  }

  async removeDead(ids: readonly string[]): Promise<number> {
    return await this.#writer.write(() => this.#store.removeDead(ids));
  }

  async depths(): Promise<EventDepth[]> {
    return this.#store.depths();
  }

  async prune(endedBeforeUs: number, limit: number): Promise<number> {
    return await this.#writer.write(() => this.#store.prune(endedBeforeUs, limit));
  }

  async hasten(kind: EventKind, atUs: number, byUs: number): Promise<void> {
    await this.#writer.write(() => this.#store.hasten(kind, atUs, byUs));
  }

  async nextDueAtUs(kind: EventKind, afterUs: number): Promise<number | undefined> {
    return this.#store.nextDueAtUs(kind, afterUs);
  }

  async get(id: string): Promise<EventRow | undefined> {
    return this.#store.get(id);
  }

  async list(filter: EventFilter): Promise<EventSummary[]> {
    return this.#store.list(filter);
  }
}
