import { type ErrorCode, RunletError } from "../errors.ts";

/** Where a process is in its life. */
export type State = "created" | "running" | "paused" | "stopped" | "deleted";

/** What a caller sees of it: there is no deleted status. */
export type Status = Exclude<State, "deleted">;

/** What is asked of a process and needs it to be in some state. */
export type Verb =
  | "create"
  | "start"
  | "exec in"
  | "start in"
  | "signal"
  | "pause"
  | "resume"
  | "stat"
  | "checkpoint"
  | "resize"
  | "delete";

/** The moves that exist; any other is a bug. */
export const transitions: Readonly<Record<State, readonly State[]>> = {
  created: ["running", "stopped", "deleted"],
  running: ["paused", "stopped"],
  paused: ["running", "stopped"],
  stopped: ["deleted"],
  deleted: [],
};

/** The states in which each verb is done; in any other it is refused, and runsc is not asked. */
export const verbs: Readonly<Record<Verb, readonly State[]>> = {
  create: ["created"],
  start: ["created"],
  "exec in": ["created", "running"],
  // The start of what exec has prepared.
  "start in": ["running"],
  signal: ["running"],
  pause: ["running"],
  resume: ["paused"],
  stat: ["created", "running", "paused"],
  checkpoint: ["running", "paused"],
  resize: ["created", "running", "paused"],
  delete: ["created", "paused", "stopped"],
};

/** The state of one process, which moves and refuses by the two tables. */
export class Lifecycle {
  readonly #what: string;
  #state: State = "created";

  /** `what` names the process in messages, as `container rlt-...`. */
  constructor(what: string) {
    this.#what = what;
  }

  get state(): State {
    return this.#state;
  }

  /** Whether the process has ended, be it deleted or not. */
  get isOver(): boolean {
    return this.#state === "stopped" || this.#state === "deleted";
  }

  /** @throws `failed_precondition` if `verb` is not done in the present state, `not_found` once it is deleted. */
  require(verb: Verb): void {
    if (verbs[verb].includes(this.#state)) return;
    throw this.refusal(verb, this.#state === "deleted" ? "not_found" : "failed_precondition");
  }

  /** The error for a verb that is refused in the present state. */
  refusal(verb: Verb, code: ErrorCode): RunletError {
    return new RunletError(code, `Cannot ${verb} ${this.#what}: state is ${this.#state}`);
  }

  /** Moves on. @throws Error for a move that does not exist, which is a bug. */
  to(next: State): void {
    if (!transitions[this.#state].includes(next)) {
      throw new Error(`Impossible move of ${this.#what}: ${this.#state} to ${next}`);
    }
    this.#state = next;
  }
}
