/** How much of one text a tool shows: more would fill the context of whoever reads it. */
export const maxShownChars = 30_000;

/** A text as far as a tool shows it, and whether that is not all. */
export interface Shown {
  readonly text: string;
  readonly isCut: boolean;
}

/** The beginning and the end of what is too long to be shown; errors stand at the end. */
export function shown(text: string, maxChars = maxShownChars): Shown {
  if (text.length <= maxChars) return { text, isCut: false };
  const half = Math.floor(maxChars / 2);
  const head = text.slice(0, half).toWellFormed();
  const tail = text.slice(-half).toWellFormed();
  const mark = `\n[… ${text.length - 2 * half} characters left out …]\n`;
  return { text: head + mark + tail, isCut: true };
}

/** Parts under their names, those that are empty left out. */
export function sections(parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts)
    .filter(([, text]) => text !== "")
    .map(([name, text]) => `${name}:\n${text}`)
    .join("\n");
}
