import { Buffer } from "node:buffer";
import { answerLimits } from "../messages.ts";

/** A handler's answer as it travels. */
export interface Answer {
  readonly contentType: string;
  readonly status?: number;
  readonly headers?: [string, string][];
  readonly body: Uint8Array;
}

const { stringify } = JSON;
const isView = ArrayBuffer.isView.bind(ArrayBuffer);
const binary = "application/octet-stream";

/**
 * Turns what a handler returned into bytes: text, bytes and web Responses as they are, all else as JSON.
 * @throws TypeError for what JSON has no form for.
 */
export async function encodeAnswer(value: unknown): Promise<Answer> {
  if (typeof value === "string") {
    return { contentType: "text/plain; charset=utf-8", body: Buffer.from(value) };
  }
  if (typeof value === "object" && value !== null) {
    if (isView(value)) {
      return {
        contentType: binary,
        body: new Uint8Array(value.buffer, value.byteOffset, value.byteLength),
      };
    }
    if (value instanceof ArrayBuffer) return { contentType: binary, body: new Uint8Array(value) };
    if (isResponse(value)) return await encodeResponse(value);
  }
  const text = stringify(value ?? null) as string | undefined;
  if (text === undefined) {
    throw new TypeError(`Cannot answer with a ${typeof value}: JSON has no form for it`);
  }
  return { contentType: "application/json", body: Buffer.from(text) };
}

/** By its tag: naming the global class would load all of fetch for answers that need none of it. */
function isResponse(value: object): value is Response {
  return (
    (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag] === "Response" &&
    typeof (value as Response).arrayBuffer === "function"
  );
}

async function encodeResponse(response: Response): Promise<Answer> {
  if (response.status < 200) throw new TypeError("Cannot answer with an error Response");
  const contentType = response.headers.get("content-type") || binary;
  const headers = [...response.headers];
  const isTooLong = headers.some(([, text]) => text.length > answerLimits.headerValueLength);
  const isTypeTooLong = contentType.length > answerLimits.contentTypeLength;
  if (isTooLong || isTypeTooLong || headers.length > answerLimits.headers) {
    throw new TypeError("Cannot answer with this Response: its headers are too long or too many");
  }
  return {
    contentType,
    status: response.status,
    headers,
    body: new Uint8Array(await response.arrayBuffer()),
  };
}
