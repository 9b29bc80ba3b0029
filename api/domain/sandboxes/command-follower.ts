import type { CommandEvent } from "../../schema/sandbox-command.ts";
import { messageOf } from "../errors.ts";
import { encodedText } from "../text.ts";
import type { Activity } from "./activity.ts";
import type { StartedCommand } from "./commands.ts";

/** A command's event, with what was written as it is. */
export type FollowedPiece =
  | { type: "output"; stream: "stdout" | "stderr" | "pty"; body: Buffer }
  | Exclude<CommandEvent, { type: "output" }>;

/** One who is told of a command from its start, or from what is kept of its output, to its end. */
export class CommandFollower implements Disposable {
  readonly #started: StartedCommand;
  readonly #activity: Activity;
  readonly #busy: Disposable;
  readonly #onLeave: () => void;
  #hasLeft = false;
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
    const piece = await this.nextPiece();
    if (piece?.type !== "output") return piece;
    return { type: "output", stream: piece.stream, ...encodedText(piece.body) };
  }

  /** As {@link next}, with what was written as it is. */
  async nextPiece(): Promise<FollowedPiece | undefined> {
    if (this.#stage === "over") return undefined;
    if (this.#stage === "start") {
      this.#stage = "output";
      return { type: "started", command: this.#started.command };
    }
    const piece = await this.#started.view.next();
    if (this.#hasLeft) return undefined;
    this.#activity.touch();
    if (piece !== undefined) {
      return "body" in piece
        ? { type: "output", ...piece }
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
    this.#hasLeft = true;
    this.#onLeave();
  }
}
