import { printable } from "../terminal.ts";

/** Our terminal while it shows a page in place of what was there, which comes back when this is disposed. */
export class Screen implements Disposable {
  readonly #onQuit: () => void;
  #lines: readonly string[] = [];

  /** `onQuit` is told of q and Ctrl-C, and of what else is to end us. */
  constructor(onQuit: () => void) {
    this.#onQuit = onQuit;
    process.stdout.write(`${alternate}${hideCursor}`);
    process.stdin.setRawMode(true);
    process.stdin.on("data", this.#type);
    process.stdout.on("resize", this.#draw);
    for (const signal of ends) process.on(signal, onQuit);
  }

  show(lines: readonly string[]): void {
    this.#lines = lines;
    this.#draw();
  }

  [Symbol.dispose](): void {
    for (const signal of ends) process.off(signal, this.#onQuit);
    process.stdout.off("resize", this.#draw);
    process.stdin.off("data", this.#type);
    process.stdin.setRawMode(false);
    // Whoever goes on reading it keeps us from ending.
    process.stdin.destroy();
    process.stdout.write(`${showCursor}${original}`);
  }

  readonly #type = (typed: Buffer): void => {
    if (quitKeys.some((key) => typed.includes(key))) this.#onQuit();
  };

  /** As much of the page as there is room for: what is too long would move all that is below. */
  readonly #draw = (): void => {
    const [cols, rows] = process.stdout.getWindowSize();
    const lines = this.#lines
      .slice(0, Math.max(1, rows - 1))
      .map((line) => `${printable(line, process.stdout).slice(0, cols)}${clearLine}\r\n`);
    process.stdout.write(`${home}${lines.join("")}${clearBelow}`);
  };
}

/** q, and what Ctrl-C is where no signal is made of it. */
const quitKeys = ["q", "Q", "\u0003"];
const ends = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
const alternate = "\u001B[?1049h";
const original = "\u001B[?1049l";
const hideCursor = "\u001B[?25l";
const showCursor = "\u001B[?25h";
const home = "\u001B[H";
const clearLine = "\u001B[K";
const clearBelow = "\u001B[J";
