import type { CommandEvent } from "../../schema/sandbox-command.ts";
import { messageOf } from "../errors.ts";
import { encodedText } from "../text.ts";
import type { Activity } from "./activity.ts";
import type { StartedCommand } from "./commands.ts";

/** One who is told of a command from its start, or from what is kept of its output, to its end. */
export class CommandFollower implements Disposable {
  readonly #started: StartedCommand;
  readonly #activity: Activity;
  readonly #busy: Disposable;
  readonly #onLeave: () => void;
  #stage: "start" | "output" | "over" = "start";

  /** `onLeave` is told when the follower goes away before the command has ended. */
  constructor(started: StartedCommand, activity: Activity, onLeave: () => void) {
    this.#started = started;
    this.#activity = activity;
    this.#busy = activity.begin();
    this.#onLeave = onLeave;
  }

  /** The next event; undefined after the last. */
  async next(): Promise<CommandEvent | undefined> {
    if (this.#stage === "over") return undefined;
    if (this.#stage === "start") {
      this.#stage = "output";
      return { type: "started", command: this.#started.command };
    }
    const piece = await this.#started.view.next();
    this.#activity.touch();
    if (piece !== undefined) {
      return "body" in piece
        ? { type: "output", stream: piece.stream, ...encodedText(piece.body) }
        : { type: "dropped", bytes: piece.droppedBytes };
    }
    this.#stage = "over";
    this.#busy[Symbol.dispose]();
    try {
      return { type: "exit", command: await this.#started.ended };
    } catch (error) {
      return { type: "gone", message: messageOf(error) };
    }
  }

  [Symbol.dispose](): void {
    this.#busy[Symbol.dispose]();
    if (this.#stage === "over") return;
    this.#stage = "over";
    this.#onLeave();
  }
}
