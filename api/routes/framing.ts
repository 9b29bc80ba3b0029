/** Headers that say how one message travels over one hop, which is not the function's business. */
const framing: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Whether a header, in lower case, goes for one hop only: by its nature, or because `connection` names it. */
export function isFraming(name: string, connection: string | undefined): boolean {
  if (framing.has(name)) return true;
  if (connection === undefined) return false;
  return connection.split(",").some((named) => named.trim().toLowerCase() === name);
}
