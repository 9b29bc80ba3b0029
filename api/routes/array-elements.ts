/**
 * The elements of the one array of `{"name": [...]}`, as they are written there: numbers keep all of their digits. The
 * text must be JSON of that shape. Where the name stands more than once, the last array counts, as for JSON.parse.
 */
export function elementsIn(json: string): string[] {
  let elements: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === '"') at = endOfString(json, at);
    else if (char === "[" || char === "{") {
      if (++depth !== 2 || char !== "[") continue;
      elements = [];
      start = at + 1;
    } else if (char === "]" || char === "}") {
      if (depth-- === 2 && char === "]") elements.push(json.slice(start, at));
    } else if (char === "," && depth === 2) {
      elements.push(json.slice(start, at));
      start = at + 1;
    }
  }
  return elements;
}

/** Where the string ends that begins at `at`. */
function endOfString(json: string, at: number): number {
  let end = at + 1;
  while (end < json.length && json[end] !== '"') end += json[end] === "\\" ? 2 : 1;
  return end;
}
