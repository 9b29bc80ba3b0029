import { ConnectionError } from "./errors.ts";
import type { SendOptions } from "./send.ts";

/** What is asked for; what is undefined is left out. */
export type Query = Record<string, string | number | undefined>;

/** The base of a server. @throws ConnectionError if the text is no URL of one. */
export function baseOf(url: string): URL {
  const base = URL.parse(url);
  if (base?.protocol === "http:" || base?.protocol === "https:") return base;
  throw new ConnectionError(
    `Cannot reach Runlet at ${url}: it is no URL such as http://127.0.0.1:7070`,
  );
}

/** The path of what the segments name. */
export function pathOf(...segments: readonly string[]): string {
  return ["/v1", ...segments.map(encodeURIComponent)].join("/");
}

/** A request with a value as its body. */
export function asJson(
  method: string,
  value: unknown,
  headers: Record<string, string> = {},
): SendOptions {
  return {
    method,
    body: JSON.stringify(value),
    headers: { "content-type": "application/json", ...headers },
  };
}

/** A path with what of the query is given. */
export function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const search = given.map(([name, value]) => `${encoded(name)}=${encoded(String(value))}`);
  return search.length === 0 ? path : `${path}?${search.join("&")}`;
}

/** A byte of a file's name that is no UTF-8 is a lone surrogate in listings, and goes as that byte. */
function encoded(text: string): string {
  if (text.isWellFormed()) return encodeURIComponent(text);
  const parts = text.split(/([\udc80-\udcff])/u);
  const escapes = parts.map((part, at) =>
    at % 2 === 0
      ? encodeURIComponent(part.toWellFormed())
      : `%${(part.charCodeAt(0) - 0xdc00).toString(16)}`,
  );
  return escapes.join("");
}
