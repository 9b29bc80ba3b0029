import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { answerLimits } from "../messages.ts";
import type { Answer, StreamedAnswer } from "../node/answer.ts";
import { encodeHttpAnswer } from "../node/http-answer.ts";
import { Refusal } from "./refusal.ts";
import { reportedError } from "./reported-error.ts";

const json = "application/json";
/** A body that begins with `{statusCode, headers, cookies}` as JSON and eight NULs. */
export const httpResponse = "application/vnd.awslambda.http-integration-response";
export const preludeEnd = Buffer.alloc(8);

/** Whether a response comes as a stream. @throws Refusal of a mode that there is not. */
export function isStreamed(request: IncomingMessage): boolean {
  const mode = request.headers["lambda-runtime-function-response-mode"] ?? "buffered";
  if (mode === "buffered" || mode === "streaming") return mode === "streaming";
  const fact = `There is no response mode ${String(mode)}`;
  throw new Refusal(400, "InvalidFunctionResponseMode", fact);
}

/** What a response is said to be. */
export function contentTypeOf(request: IncomingMessage): string {
  const contentType = request.headers["content-type"] || json;
  // What curl and urllib say of any body, as on Lambda, where JSON is meant.
  const isForm = contentType.startsWith("application/x-www-form-urlencoded");
  const isTooLong = contentType.length > answerLimits.contentTypeLength;
  return isForm || isTooLong ? json : contentType;
}

/** What the program reports behind an answer that failed in the middle. */
export function trailedError({ trailers }: IncomingMessage): Error | undefined {
  const type = trailers["lambda-runtime-function-error-type"];
  if (type === undefined) return undefined;
  const body = Buffer.from(trailers["lambda-runtime-function-error-body"] ?? "", "base64");
  return reportedError({ type, body, fallback: "Function.Unknown" });
}

/** The head of an HTTP answer that is streamed. @throws SyntaxError */
export function parsePrelude(bytes: Buffer): object {
  return { statusCode: 200, ...(JSON.parse(bytes.toString("utf8")) as object) };
}

/** The caller's answer of an HTTP request that was handed on as an event. @throws TypeError for one that is none. */
export async function httpAnswerOf(
  answer: Answer | StreamedAnswer,
): Promise<Answer | StreamedAnswer> {
  if ("chunks" in answer) return answer;
  if (answer.status !== undefined || !answer.contentType.startsWith(json)) return answer;
  return await encodeHttpAnswer(parsed(answer.body));
}

/** What is no JSON is the text that it is. */
function parsed(body: Uint8Array): unknown {
  const text = Buffer.from(body).toString("utf8");
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
