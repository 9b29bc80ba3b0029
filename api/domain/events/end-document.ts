import { functionArn } from "../../../runtime/guest/provided/function-arn.ts";
import { InvocationError } from "../errors.ts";
import { encodedText, isUtf8 } from "../text.ts";
import type { EndedEvent } from "./ended-event.ts";

/** How many bytes of JSON a payload may take in a document; a larger one is left out. */
const maxPayloadBytes = 256 * 1024;

/** The number of the version that an invocation on record was of. */
export type VersionOf = (invocationId: string) => number | undefined;

/**
 * The JSON document that tells of an event's end, as AWS Lambda's destinations have it. JSON in it stands as it
 * was sent, so that no number loses digits.
 */
export function endDocument(ended: EndedEvent, versionOf: VersionOf): Buffer {
  const { event, end } = ended;
  const request = payloadOf(event.body ?? new Uint8Array(), event.contentType);
  const { response, ...about } = responseOf(ended, versionOf);
  const requestContext = {
    requestId: event.id,
    functionArn: functionArn(event.functionName, event.qualifier ?? "$LATEST"),
    condition: end.state === "succeeded" ? "Success" : end.condition,
    approximateInvokeCount: event.attempts,
    payloadEncoding: request.encoding,
  };
  return Buffer.from(
    objectOf({
      version: `"1.0"`,
      timestamp: JSON.stringify(new Date(end.atUs / 1000)),
      requestContext: JSON.stringify(requestContext),
      requestPayload: request.json,
      responseContext: JSON.stringify({ ...about, payloadEncoding: response.encoding }),
      responsePayload: response.json,
    }),
  );
}

interface Payload {
  /** The text of a JSON value. */
  readonly json: string;
  readonly encoding: "json" | "utf8" | "base64" | "omitted";
}

function responseOf(
  { answer, end, failure }: EndedEvent,
  versionOf: VersionOf,
): { response: Payload; statusCode?: number; executedVersion?: string; functionError?: string } {
  if (answer !== undefined) {
    const { status: statusCode, record, body, contentType } = answer;
    const executedVersion = String(record.functionVersion);
    return { response: payloadOf(body, contentType), statusCode, executedVersion };
  }
  const { code, message } = end.state === "dead" ? end.error : { code: "internal", message: "" };
  if (!(failure instanceof InvocationError)) return { response: errorOf(code, message) };
  const { thrown, invocationId } = failure;
  const response = errorOf(thrown?.name ?? code, thrown?.message ?? message);
  const version = versionOf(invocationId);
  return {
    response,
    statusCode: 200,
    ...(version !== undefined && { executedVersion: String(version) }),
    functionError: "Unhandled",
  };
}

function errorOf(errorType: string, errorMessage: string): Payload {
  return bounded({ json: JSON.stringify({ errorType, errorMessage }), encoding: "json" });
}

function payloadOf(body: Uint8Array, contentType: string | null): Payload {
  if (body.byteLength > maxPayloadBytes) return omitted;
  const isJson = contentType === null || /[/+]json\b/i.test(contentType);
  const text = isJson && isUtf8(body) ? Buffer.from(body).toString() : undefined;
  if (text !== undefined && isJsonText(text)) return { json: text, encoding: "json" };
  const encoded = encodedText(body);
  return bounded({ json: JSON.stringify(encoded.text), encoding: encoded.encoding });
}

const omitted: Payload = { json: "null", encoding: "omitted" };

function bounded(payload: Payload): Payload {
  return Buffer.byteLength(payload.json) > maxPayloadBytes ? omitted : payload;
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** An object of values that are JSON already. */
function objectOf(fields: Readonly<Record<string, string>>): string {
  const members = Object.entries(fields).map(([name, json]) => `${JSON.stringify(name)}:${json}`);
  return `{${members.join(",")}}`;
}
