import type { EventEnd, EventRow } from "../../../store/event-row.ts";
import type { RunletError } from "../errors.ts";
import type { Answer } from "../invoker.ts";

/** An event at its end. */
export interface EndedEvent {
  readonly event: EventRow;
  readonly end: EventEnd;
  /** What the function answered, where that is how it ended. */
  readonly answer?: Answer | void;
  /** What the last attempt came to, where it was made just now and failed. */
  readonly failure?: RunletError;
}
