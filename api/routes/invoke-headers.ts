import { RunletError } from "../domain/errors.ts";
import { type Callback, callback } from "../schema/destination.ts";

export const traceparentHeader = {
  name: "traceparent",
  in: "header" as const,
  description: "W3C trace context; its trace id goes on record and to the function",
  schema: { type: "string" as const },
};

/**
 * The request headers of an invocation, as the OpenAPI document has them. They are read one by one: a schema
 * would have all headers of each request made into an object first.
 */
export const invokeHeaders = [
  {
    name: "Idempotency-Key",
    in: "header" as const,
    description:
      "Has the function run once for this key and this event within a day; further calls get the first answer, failures included, or with respond-async the id of the first event",
    schema: { type: "string" as const, maxLength: 255 },
    example: "8e03978e-40d5-43dd-bc93-6894a57f9324",
  },
  {
    name: "Runlet-Dry-Run",
    in: "header" as const,
    description: "Has the function, the qualifier and the event checked, and nothing run",
    schema: { type: "string" as const, enum: ["true"] },
  },
  {
    name: "Runlet-Log",
    in: "header" as const,
    description:
      "tail: the last 4 KiB of stdout and stderr come with the answer as Runlet-Log-Tail, in base64; with a streamed one as a trailer, which HTTP/1.0 has none of",
    schema: { type: "string" as const, enum: ["none", "tail"] },
  },
  traceparentHeader,
  {
    name: "Prefer",
    in: "header" as const,
    description: "respond-async: do not wait for the answer",
    schema: { type: "string" as const },
  },
  {
    name: "Runlet-Callback-Url",
    in: "header" as const,
    description:
      "With respond-async: the URL that is told of the event's end, as a destination of the function is",
    schema: { type: "string" as const, format: "uri" },
    example: "https://example.org/ended",
  },
  {
    name: "Runlet-Callback-Secret",
    in: "header" as const,
    description: "Name of the secret that requests to the callback are signed with",
    schema: { type: "string" as const },
    example: "callback-key",
  },
];

/** Reads `Idempotency-Key`, which may stand in quotes. @throws `invalid_argument` for what is no key. */
export function idempotencyKeyOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const [, quoted, bare] = /^(?:"([ !#-[\]-~]{1,255})"|([!#-[\]-~]{1,255}))$/.exec(header) ?? [];
  const key = quoted ?? bare;
  if (key !== undefined) return key;
  throw new RunletError(
    "invalid_argument",
    "Cannot take the Idempotency-Key: expected 1 to 255 printable ASCII characters, in quotes or without spaces",
  );
}

/** Reads `Runlet-Dry-Run`. @throws `invalid_argument` for another word than true: it might have meant that. */
export function isDryRun(header: string | undefined): boolean {
  if (header === undefined || header === "true") return header !== undefined;
  throw new RunletError("invalid_argument", "Cannot take Runlet-Dry-Run: expected true");
}

/** Reads `Runlet-Callback-Url` and `Runlet-Callback-Secret`. @throws `invalid_argument` for one alone, and what is none. */
export function callbackOf(
  url: string | undefined,
  secret: string | undefined,
): Callback | undefined {
  if (url === undefined && secret === undefined) return undefined;
  const parsed = callback.safeParse({ url, secret });
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => `${String(path[0])}: ${message}`);
  throw new RunletError(
    "invalid_argument",
    `Cannot take the callback: expected Runlet-Callback-Url and Runlet-Callback-Secret; ${issues.join("; ")}`,
  );
}

/** Reads `Runlet-Log`. @throws `invalid_argument` for another word than none and tail. */
export function wantsLogTail(header: string | undefined): boolean {
  if (header === undefined || header === "none") return false;
  if (header === "tail") return true;
  throw new RunletError(
    "invalid_argument",
    `Cannot take the request: Runlet-Log is ${JSON.stringify(header)}; expected none or tail`,
  );
}
