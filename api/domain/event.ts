import { messageOf, RunletError } from "./errors.ts";

/** What curl and HTML say of a body by themselves. */
const form = "application/x-www-form-urlencoded";

/**
 * The media type that a handler is to read its event by, before anything is started for it. JSON that comes
 * as a form, as curl sends it unless told otherwise, counts as JSON.
 * @throws `invalid_argument` for an event that says it is JSON and is not.
 */
export function eventType(contentType: string | undefined, event: Buffer): string | undefined {
  const mediaType = contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "application/json";
  if (mediaType === form) return looksLikeJson(event) ? "application/json" : contentType;
  const isJson = mediaType === "application/json" || mediaType.endsWith("+json");
  const fault = isJson && event.length > 0 ? faultOf(event) : undefined;
  if (fault === undefined) return contentType;
  throw new RunletError(
    "invalid_argument",
    `Cannot take the event: it is not JSON: ${fault}. Name what it is as its content type`,
  );
}

function looksLikeJson(event: Buffer): boolean {
  return /^\s*[{[]/.test(event.toString("latin1", 0, 64)) && faultOf(event) === undefined;
}

function faultOf(event: Buffer): string | undefined {
  try {
    JSON.parse(event.toString("utf8"));
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
