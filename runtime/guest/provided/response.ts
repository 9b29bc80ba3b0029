import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { answerLimits } from "../messages.ts";
import type { Answer, StreamedAnswer } from "../node/answer.ts";
import { encodeHttpAnswer } from "../node/http-answer.ts";
import { Refusal } from "./refusal.ts";
import { reportedError } from "./reported-error.ts";

const json = "application/json";
/** A body that begins with `{statusCode, headers, cookies}` as JSON and eight NULs. */
const httpResponse = "application/vnd.awslambda.http-integration-response";
const preludeEnd = Buffer.alloc(8);

/** Whether a response comes in a mode that there is. @throws Refusal */
export function checkMode(request: IncomingMessage): void {
  const mode = request.headers["lambda-runtime-function-response-mode"] ?? "buffered";
  if (mode === "buffered" || mode === "streaming") return;
  throw new Refusal(
    400,
    "InvalidFunctionResponseMode",
    `There is no response mode ${String(mode)}`,
  );
}

/**
 * What a response that has been read is to the caller.
 * @throws what the program reports behind a stream that failed in the middle; SyntaxError and TypeError for
 * an HTTP response that is none.
 */
export async function answerOf(request: IncomingMessage, body: Buffer): Promise<Answer> {
  const type = request.trailers["lambda-runtime-function-error-type"];
  if (type !== undefined) {
    const report = request.trailers["lambda-runtime-function-error-body"] ?? "";
    throw reportedError({
      type,
      body: Buffer.from(report, "base64"),
      fallback: "Function.Unknown",
    });
  }
  const contentType = request.headers["content-type"] || json;
  const preludeBytes = contentType === httpResponse ? body.indexOf(preludeEnd) : -1;
  if (preludeBytes >= 0) return await preludedAnswer(body, preludeBytes);
  // What curl and urllib say of any body, as on Lambda, where JSON is meant.
  const isForm = contentType.startsWith("application/x-www-form-urlencoded");
  const isTooLong = contentType.length > answerLimits.contentTypeLength;
  return { contentType: isForm || isTooLong ? json : contentType, body };
}

/** The caller's answer of an HTTP request that was handed on as an event. @throws TypeError for one that is none. */
export async function httpAnswerOf(answer: Answer): Promise<Answer | StreamedAnswer> {
  if (answer.status !== undefined || !answer.contentType.startsWith(json)) return answer;
  return await encodeHttpAnswer(parsed(answer.body));
}

async function preludedAnswer(body: Buffer, preludeBytes: number): Promise<Answer> {
  const prelude = JSON.parse(body.toString("utf8", 0, preludeBytes)) as object;
  const answer = await encodeHttpAnswer({ statusCode: 200, ...prelude, body: "" });
  return { ...answer, body: body.subarray(preludeBytes + preludeEnd.length) };
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
