import type {
  DeadLetter,
  DeadLetterQuery,
  Event,
  EventCount,
  EventDetail,
  EventQuery,
} from "../schema/event.ts";
import { quickTimeoutMs } from "./connection.ts";
import { Methods, type Page } from "./methods.ts";
import { asJson, pathOf, withQuery } from "./request.ts";

/** What a client does with events that were accepted, and with those that were given up. */
export class EventMethods extends Methods {
  /** A page of events that were accepted, newest first. */
  async events(query: EventQuery = {}): Promise<Page<Event>> {
    return await this.connection.get(pathOf("events"), query);
  }

  /** One event with its invocations. */
  async event(id: string): Promise<EventDetail> {
    return await this.connection.get(pathOf("events", id));
  }

  /** Removes an event that waits. */
  async cancelEvent(id: string): Promise<void> {
    await this.connection.delete(pathOf("events", id));
  }

  /** A page of events that were given up, newest first. */
  async deadLetters(query: DeadLetterQuery = {}): Promise<Page<Event>> {
    return await this.connection.get(pathOf("dead-letters"), query);
  }

  /** An event that was given up, with its body and its invocations. */
  async deadLetter(id: string): Promise<DeadLetter> {
    return await this.connection.get(pathOf("dead-letters", id));
  }

  /** Queues an event anew that was given up. */
  async redrive(id: string): Promise<Event> {
    const options = { method: "POST", timeoutMs: quickTimeoutMs };
    return await this.connection.ask(pathOf("dead-letters", id, "redrive"), options);
  }

  /** Queues all events of a function anew that were given up. */
  async redriveAll(name: string): Promise<EventCount> {
    const options = asJson("POST", { function: name });
    return await this.connection.ask(pathOf("dead-letters", "redrive"), options);
  }

  /** Removes an event that was given up. */
  async removeDeadLetter(id: string): Promise<void> {
    await this.connection.delete(pathOf("dead-letters", id));
  }

  /** Removes all events of a function that were given up. */
  async purgeDeadLetters(name: string): Promise<EventCount> {
    const path = withQuery(pathOf("dead-letters"), { function: name });
    return await this.connection.ask(path, { method: "DELETE" });
  }
}
