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
} from "../../../store/event-row.ts";

/** What Runlet needs of a durable queue of events. Each promise resolves once what it stands for is durable. */
export interface EventQueue {
  /** Queues an event, due at once; false if one with its id is there already. */
  accept(event: NewEvent): Promise<boolean>;
  /** Queues events as {@link accept} does and has `along` write what goes with them, all or nothing. */
  acceptAll(events: readonly NewEvent[], along: () => void): Promise<void>;
  /** Leases one due event and counts the attempt; undefined if none is due whose turn it may be. */
  lease(turn: LeaseTurn): Promise<EventRow | undefined>;
  /** Gives a leased event back, due later. */
  reschedule(id: string, how: Reschedule): Promise<boolean>;
  /** Ends a leased event and queues what follows from that, both or neither. */
  finish(id: string, end: EventEnd, followUps: readonly NewEvent[]): Promise<boolean>;
  /** Makes events of a kind due at `atUs` whose holder is gone, with `error` as what their last attempt came to. */
  recover(kind: EventKind, atUs: number, error: EventError): Promise<number>;
  /** Removes an event that nobody has leased; false if it is not waiting. */
  cancel(id: string): Promise<boolean>;
  /** Queues dead events anew, as if they were accepted at `atUs`; answers how many were dead. */
  redrive(ids: readonly string[], atUs: number): Promise<number>;
  /** Removes dead events; answers how many were dead. */
  removeDead(ids: readonly string[]): Promise<number>;
  /** How many events are not done, by function and state. */
  depths(): Promise<EventDepth[]>;
  /** Drops up to `limit` events that succeeded before a moment, and answers how many. */
  prune(endedBeforeUs: number, limit: number): Promise<number>;
  /** Has events of a kind that are due after a moment be due so much sooner. */
  hasten(kind: EventKind, atUs: number, byUs: number): Promise<void>;
  /** When the first event of a kind after a moment becomes due, microseconds since the epoch. */
  nextDueAtUs(kind: EventKind, afterUs: number): Promise<number | undefined>;
  get(id: string): Promise<EventRow | undefined>;
  /** A page of events, newest first. */
  list(filter: EventFilter): Promise<EventSummary[]>;
}
