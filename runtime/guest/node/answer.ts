import { Buffer } from "node:buffer";
import { answerLimits } from "../messages.ts";
import { chunksOf, promptly, type Source, sourceOf, toBytes } from "./chunks.ts";

interface AnswerHead {
  readonly contentType: string;
  readonly status?: number;
  readonly headers?: [string, string][];
}

/** A handler's answer as it travels, in one piece. */
export interface Answer extends AnswerHead {
  readonly body: Uint8Array;
}

/** A handler's answer that is still being written. */
export interface StreamedAnswer extends AnswerHead {
  readonly chunks: AsyncIterable<Uint8Array>;
}

const { stringify } = JSON;
const isView = ArrayBuffer.isView.bind(ArrayBuffer);
const plainText = "text/plain; charset=utf-8";
const binary = "application/octet-stream";

/**
 * Turns what a handler returned into bytes: text, bytes and web Responses as they are, streams and generators as
 * what they bring, all else as JSON.
 * @throws TypeError for what JSON has no form for, and what a stream throws before it brings anything.
 */
export async function encodeAnswer(value: unknown): Promise<Answer | StreamedAnswer> {
  if (typeof value === "string") return { contentType: plainText, body: Buffer.from(value) };
  if (typeof value === "object" && value !== null) {
    if (isView(value)) {
      return {
        contentType: binary,
        body: new Uint8Array(value.buffer, value.byteOffset, value.byteLength),
      };
    }
    if (value instanceof ArrayBuffer) return { contentType: binary, body: new Uint8Array(value) };
    if (isResponse(value)) return await encodeResponse(value);
    const source = sourceOf(value);
    if (source !== undefined) return await encodeSource(source);
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

/** The first chunk tells the type. */
async function encodeSource(source: Source): Promise<StreamedAnswer> {
  const first = await source.next();
  if (first.done === true) return { contentType: binary, chunks: chunksOf([first], source) };
  const contentType = typeof first.value === "string" ? plainText : binary;
  const bytes = toBytes(first.value);
  return { contentType, chunks: chunksOf([{ done: false, value: bytes }], source) };
}

/** A body that was made of text or bytes is there at once and travels in one piece. */
async function encodeResponse(response: Response): Promise<Answer | StreamedAnswer> {
  const head = headOf(response);
  const source = response.body?.[Symbol.asyncIterator]();
  if (source === undefined) return { ...head, body: new Uint8Array() };
  const first = source.next();
  const content = await promptly(first);
  if (content === undefined) return { ...head, chunks: chunksOf([first], source) };
  if (content.done === true) return { ...head, body: new Uint8Array() };
  const second = source.next();
  const end = await promptly(second);
  if (end?.done === true) return { ...head, body: toBytes(content.value) };
  return { ...head, chunks: chunksOf([content, second], source) };
}

function headOf(response: Response): AnswerHead {
  if (response.status < 200) throw new TypeError("Cannot answer with an error Response");
  if (response.bodyUsed) {
    throw new TypeError("Cannot answer with this Response: its body was read already");
  }
  const contentType = response.headers.get("content-type") || binary;
  const headers = [...response.headers];
  const isTooLong = headers.some(([, text]) => text.length > answerLimits.headerValueLength);
  const isTypeTooLong = contentType.length > answerLimits.contentTypeLength;
  if (isTooLong || isTypeTooLong || headers.length > answerLimits.headers) {
    throw new TypeError("Cannot answer with this Response: its headers are too long or too many");
  }
  return { contentType, status: response.status, headers };
}
