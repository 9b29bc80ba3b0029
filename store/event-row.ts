/** Where an event stands. Succeeded and dead are ends; a dead one can be driven again. */
export type EventState = "queued" | "running" | "succeeded" | "dead";

/** What an attempt at an event is: a call of its function, or a request to its callback. */
export type EventKind = "invoke" | "deliver";

/** Why an event was given up. */
export type DeadCondition = "RetriesExhausted" | "EventAgeExceeded";

/** What went wrong in the last attempt. */
export interface EventError {
  readonly code: string;
  readonly message: string;
}

/** A URL that is told of an event's end, and the secret that signs what is sent there. */
export interface EventCallback {
  readonly url: string;
  /** Its name. */
  readonly secret: string;
}

/** An event that is to be queued. */
export interface NewEvent {
  /** A UUID v7. */
  readonly id: string;
  readonly kind: EventKind;
  /** The function that it is for; of a delivery, the one whose event has ended. */
  readonly functionName: string;
  readonly qualifier: string | null;
  readonly contentType: string | null;
  readonly body: Uint8Array;
  /** Who handed it in, such as `api`. */
  readonly source: string;
  /** The trace that its caller named, 32 hex digits; null where its id stands for it. */
  readonly traceId: string | null;
  /** Whether its caller has that trace recorded. */
  readonly isSampled: boolean;
  /** How many ends of other events led to it, one by one. */
  readonly depth: number;
  /** Whom to tell of its end; of a delivery, where it goes. */
  readonly callback: EventCallback | null;
  readonly acceptedAtUs: number;
}

/** An event as lists have it. Every number is an integer; null is what is not known (yet). */
export interface EventSummary extends Omit<NewEvent, "body" | "isSampled"> {
  readonly bodyBytes: number;
  readonly state: EventState;
  /** Attempts begun so far, without those that were turned away for want of room. */
  readonly attempts: number;
  /** How often in a row it was turned away for want of room. */
  readonly throttles: number;
  /** When it is due, while it is queued. */
  readonly nextAtUs: number;
  readonly endedAtUs: number | null;
  readonly deadCondition: DeadCondition | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
}

/** An event with its body, which is dropped once it has succeeded. */
export interface EventRow extends EventSummary, Pick<NewEvent, "isSampled"> {
  readonly body: Uint8Array | null;
}

/** Whose turn it is: the first function with a due event behind `after` in a circle that may run one. */
export interface LeaseTurn {
  readonly kind: EventKind;
  readonly after: string;
  readonly mayRun: (functionName: string) => boolean;
  readonly atUs: number;
}

/** How an event goes back into the queue. */
export interface Reschedule {
  readonly nextAtUs: number;
  /** Whether the attempt counts; one that does not is a throttle. */
  readonly isCounted: boolean;
  readonly error: EventError;
}

/** How an event ends. */
export type EventEnd =
  | { readonly state: "succeeded"; readonly atUs: number }
  | {
      readonly state: "dead";
      readonly atUs: number;
      readonly condition: DeadCondition;
      /** Whether the attempt counts that it was leased for. */
      readonly isCounted: boolean;
      readonly error: EventError;
    };

/** How many events of a function are in a state, and which is the oldest of them, whatever its kind. */
export interface EventDepth {
  readonly functionName: string;
  readonly kind: EventKind;
  readonly state: "queued" | "running" | "dead";
  readonly count: number;
  readonly oldestId: string;
}

/** Which events a page shows: those that match all that is given and are older than `before`. */
export interface EventFilter {
  readonly functionName?: string | undefined;
  readonly state?: EventState | undefined;
  /** The cursor: an id, usually that of the last row of the page before. */
  readonly before?: string | undefined;
  readonly limit: number;
}
