import { buffer } from "node:stream/consumers";
import type { AnswerHead, StreamedAnswer } from "../client/invoke.ts";
import { size } from "./format.ts";
import { writeOutput } from "./terminal.ts";

/**
 * A function's answer for programs: JSON as a value, text as text, anything else as base64.
 * @throws Error where the answer breaks off.
 */
export async function answerAsJson(answer: StreamedAnswer): Promise<object> {
  const { invocationId, start, status } = answer;
  const contentType = typeOf(answer);
  const body = await buffer(chunksOf(answer));
  return { invocationId, start, status, contentType, ...contentOf(contentType, body) };
}

/**
 * Writes a function's answer as it comes; a terminal gets whole characters, and binary nobody's terminal.
 * @throws Error where the answer breaks off.
 */
export async function printAnswer(answer: StreamedAnswer): Promise<void> {
  const { isTTY } = process.stdout;
  if (isTTY && !isText(typeOf(answer))) {
    const { length } = await buffer(chunksOf(answer));
    const what = `${size(length)} of ${typeOf(answer) || "an unknown type"}`;
    process.stderr.write(`The answer is ${what}: send it to a file with > FILE\n`);
    return;
  }
  const decoder = new TextDecoder();
  let last: number | undefined;
  for await (const chunk of chunksOf(answer)) {
    writeOutput(process.stdout, isTTY ? decoder.decode(chunk, { stream: true }) : chunk);
    last = chunk.at(-1);
  }
  if (isTTY && last !== 0x0a) process.stdout.write("\n");
  if (answer.status >= 400) process.stderr.write(`[status ${answer.status}]\n`);
  if (answer.headers.has("runlet-truncated")) {
    process.stderr.write("[answer cut: deploy with a larger --output-bytes]\n");
  }
}

function contentOf(type: string, body: Buffer): object {
  if (isJson(type)) {
    try {
      return { answer: JSON.parse(body.toString()) as unknown };
    } catch {
      // A function may call anything JSON.
    }
  }
  return isText(type) ? { answer: body.toString() } : { answerBase64: body.toString("base64") };
}

/** @throws Error where the answer breaks off, which its record tells the reason of. */
async function* chunksOf({ body, invocationId }: StreamedAnswer): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    const record = `runlet invocations show ${invocationId}`;
    throw new Error(`The answer broke off before its end. Its record says why: ${record}`, {
      cause,
    });
  }
}

function typeOf(answer: AnswerHead): string {
  return answer.headers.get("content-type") ?? "";
}

function isText(type: string): boolean {
  return isJson(type) || type.startsWith("text/") || /[/+]xml\b/.test(type);
}

function isJson(type: string): boolean {
  return /[/+]json\b/.test(type);
}
