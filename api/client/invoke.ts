import type { Callback } from "../schema/destination.ts";
import type { Connection } from "./connection.ts";
import { pathOf, withQuery } from "./request.ts";
import type { ServerResponse } from "./server-response.ts";

export interface InvokeOptions {
  event?: string | Uint8Array;
  /** Media type of the event; application/json by default. */
  contentType?: string;
  /** An alias, a version's number, or `$LATEST`; a name such as `hello:live` has one, too. */
  qualifier?: string | undefined;
  /** Asks for the end of the output: `logTail` of the answer, and the header `runlet-log-tail` of a failure. */
  log?: "tail" | undefined;
  /** W3C trace context that the invocation is to be part of. */
  traceparent?: string | undefined;
  /** Has the function run once for this key and event within a day; a further call gets the first answer, or event. */
  idempotencyKey?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** An event whose caller does not wait. */
export interface InvokeAsyncOptions extends Omit<InvokeOptions, "log"> {
  /** The URL that is told of its end, and the name of the secret that signs what is sent there. */
  callback?: Callback | undefined;
}

/** What a function's answer begins with. */
export interface AnswerHead {
  readonly invocationId: string;
  readonly start: string;
  readonly status: number;
  readonly headers: Headers;
}

/** A function's answer. */
export interface InvokeAnswer extends AnswerHead {
  readonly body: Uint8Array;
  /** The last 4 KiB that the function wrote on stdout and stderr, where they were asked for. */
  readonly logTail: Uint8Array | undefined;
}

/** A function's answer, whose body arrives as the function writes it. */
export interface StreamedAnswer extends AnswerHead {
  /** Fails where the answer breaks off before its end. */
  readonly body: ReadableStream<Uint8Array>;
  /** The last 4 KiB that the function wrote on stdout and stderr, where they were asked for; once the body was read. */
  readonly logTail: () => Uint8Array | undefined;
}

/** Sends an event to a function, with what else its headers are to say. */
export async function postEvent(
  connection: Connection,
  name: string,
  options: InvokeOptions,
  more: Record<string, string> = {},
): Promise<ServerResponse> {
  const { event = "{}", contentType = "application/json", qualifier, signal } = options;
  const { log, traceparent, idempotencyKey } = options;
  const path = withQuery(pathOf("functions", name, "invocations"), { qualifier });
  const headers = {
    "content-type": contentType,
    ...(log !== undefined && { "runlet-log": log }),
    ...(traceparent !== undefined && { traceparent }),
    ...(idempotencyKey !== undefined && { "idempotency-key": `"${idempotencyKey}"` }),
    ...more,
  };
  return await connection.send(path, { method: "POST", body: event, headers, signal });
}

/** What an answer's headers tell of it. */
export function headOf({ status, headers }: ServerResponse): AnswerHead {
  return {
    invocationId: headers.get("runlet-invocation-id") ?? "",
    start: headers.get("runlet-start") ?? "",
    status,
    headers,
  };
}

/** The end of a function's output: it goes with the head of an answer, and of a streamed one with the trailers. */
export function logTailOf({ headers, trailers }: ServerResponse): Uint8Array | undefined {
  const tail = headers.get("runlet-log-tail") ?? trailers.get("runlet-log-tail");
  return tail === null ? undefined : Buffer.from(tail, "base64");
}
