import { Buffer } from "node:buffer";
import { answerLimits, headerName, headerValue } from "../messages.ts";
import { type Answer, encodeAnswer, type StreamedAnswer } from "./answer.ts";
import { chunksOf, sourceOf } from "./chunks.ts";

const { entries } = Object;

/** What a handler may answer an HTTP request with, as AWS Lambda has it. */
interface HttpAnswer {
  readonly statusCode: unknown;
  readonly headers?: unknown;
  readonly cookies?: unknown;
  readonly body?: unknown;
  readonly isBase64Encoded?: unknown;
}

/**
 * Turns what a handler made of an HTTP request into an answer: an object with `statusCode` into what it says,
 * text as it is and called JSON, all else as an event's answer.
 * @throws TypeError for an object that no answer can be made of.
 */
export async function encodeHttpAnswer(value: unknown): Promise<Answer | StreamedAnswer> {
  if (typeof value === "string") return { contentType: json, body: Buffer.from(value) };
  if (!isHttpAnswer(value)) return await encodeAnswer(value);
  const { statusCode, body, isBase64Encoded } = value;
  const status = Number(statusCode);
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw unfit("its statusCode is not a whole number from 200 to 599");
  }
  const headers = headersOf(value);
  const contentType = headers.find(([name]) => name === "content-type")?.[1] ?? json;
  const content = body ?? "";
  if (typeof content === "string") {
    const bytes = Buffer.from(content, isBase64Encoded === true ? "base64" : "utf8");
    return { contentType, status, headers, body: bytes };
  }
  const source = sourceOf(Object(content) as object);
  if (source === undefined) throw unfit("its body is neither a string nor a stream");
  return { contentType, status, headers, chunks: chunksOf([], source) };
}

const json = "application/json";

function isHttpAnswer(value: unknown): value is HttpAnswer {
  return typeof value === "object" && value !== null && "statusCode" in value;
}

function headersOf({ headers, cookies }: HttpAnswer): [string, string][] {
  const all: [string, string][] = [];
  for (const [name, text] of entries(Object(headers ?? {}) as object)) {
    all.push([name.toLowerCase(), String(text)]);
  }
  for (const cookie of Array.isArray(cookies) ? cookies : []) {
    all.push(["set-cookie", String(cookie)]);
  }
  const isTooMany = all.length > answerLimits.headers;
  const bad = all.find(([name, text]) => !isHeader(name, text));
  if (isTooMany) throw unfit("it has too many headers");
  if (bad !== undefined) throw unfit(`its header ${JSON.stringify(bad[0])} is none of HTTP`);
  return all;
}

function isHeader(name: string, text: string): boolean {
  const bound =
    name === "content-type" ? answerLimits.contentTypeLength : answerLimits.headerValueLength;
  return headerName.test(name) && headerValue.test(text) && text.length <= bound;
}

function unfit(fact: string): Error {
  return new TypeError(`Cannot answer with this object: ${fact}`);
}
