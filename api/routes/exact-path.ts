import { RunletError } from "../domain/errors.ts";

/**
 * A query with its path byte for byte: of one that is no UTF-8, such as `?path=%FF`, each byte that is not is a lone
 * surrogate, as it is in listings.
 * @throws `invalid_argument`.
 */
export function exactPath<Query extends { path: string }>(url: string, query: Query): Query {
  const raw = /[?&]path=([^&#]*)/.exec(url)?.[1] ?? "";
  if (isDecodable(raw)) return query;
  const text = raw.replaceAll("+", " ").replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => {
    return String.fromCodePoint(Number.parseInt(hex, 16));
  });
  const path = escaped(Buffer.from(text, "latin1"));
  if (!path.includes("\0")) return { ...query, path };
  throw new RunletError("invalid_argument", "Cannot take the path: expected no NUL character");
}

function isDecodable(raw: string): boolean {
  try {
    decodeURIComponent(raw);
    return true;
  } catch {
    return false;
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function escaped(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const character = characterAt(bytes, at);
    text += character ?? String.fromCodePoint(0xdc00 + (bytes[at] ?? 0));
    at += character === undefined ? 1 : Buffer.byteLength(character);
  }
  return text;
}

function characterAt(bytes: Uint8Array, at: number): string | undefined {
  for (let length = 1; length <= 4; length++) {
    try {
      return decoder.decode(bytes.subarray(at, at + length));
    } catch {
      // It may be longer.
    }
  }
  return undefined;
}
