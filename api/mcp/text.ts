/** How much of one text a tool shows: more would fill the context of whoever reads it. */
export const maxShownChars = 30_000;

/** A text as far as a tool shows it, and whether that is not all. */
export interface Shown {
  readonly text: string;
  readonly isCut: boolean;
}

/** The beginning and the end of what is too long to be shown; errors stand at the end. */
export function shown(text: string, maxChars = maxShownChars): Shown {
  const excerpt = new Excerpt(maxChars);
  excerpt.add(text);
  return excerpt.shown;
}

/** Gathers a text of any length, of which it keeps no more than is shown. */
export class Excerpt {
  readonly #maxChars: number;
  #head = "";
  /** What comes behind a full head, its end alone. */
  #tail = "";
  #chars = 0;

  constructor(maxChars = maxShownChars) {
    this.#maxChars = maxChars;
  }

  add(text: string): void {
    this.#chars += text.length;
    const room = this.#maxChars - this.#head.length;
    this.#head += text.slice(0, room);
    if (text.length > room) this.#tail = (this.#tail + text.slice(room)).slice(-this.#halfChars);
  }

  get shown(): Shown {
    if (this.#chars <= this.#maxChars) return { text: this.#head, isCut: false };
    const half = this.#halfChars;
    const head = this.#head.slice(0, half).toWellFormed();
    const tail = (this.#head + this.#tail).slice(-half).toWellFormed();
    const mark = `\n[… ${this.#chars - 2 * half} characters left out …]\n`;
    return { text: head + mark + tail, isCut: true };
  }

  get #halfChars(): number {
    return Math.floor(this.#maxChars / 2);
  }
}

/** Parts under their names, those that are empty left out. */
export function sections(parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts)
    .filter(([, text]) => text !== "")
    .map(([name, text]) => `${name}:\n${text}`)
    .join("\n");
}
