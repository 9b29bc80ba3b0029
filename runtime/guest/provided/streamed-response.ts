import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { bodilessStatuses, maxGuestHeaderBytes } from "../messages.ts";
import type { Answer, StreamedAnswer } from "../node/answer.ts";
import { encodeHttpAnswer } from "../node/http-answer.ts";
import type { Exchange } from "./exchange.ts";
import { namedError } from "./named-error.ts";
import { contentTypeOf, httpResponse, parsePrelude, preludeEnd, trailedError } from "./response.ts";

type Pieces = AsyncGenerator<Uint8Array, void>;

/**
 * Hands an answer on as the program writes it, at the host's pace; settles when the program has written all.
 * A stream that fails before its first piece is a failure alone.
 * @throws Refusal if the program may not answer.
 */
export async function streamResponse(
  exchange: Exchange,
  id: string,
  request: IncomingMessage,
): Promise<void> {
  const read = Promise.withResolvers<void>();
  const pieces = piecesOf(request, read.resolve);
  let answer: Answer | StreamedAnswer;
  try {
    answer = await begun(request, pieces, (rest) => held(exchange, id, rest));
  } catch (error) {
    return exchange.fail(id, error as Error);
  }
  if ("chunks" in answer) exchange.begin(id, answer);
  else exchange.respond(id, answer);
  await read.promise;
}

/** The head of the answer and, of what follows, the first piece. @throws what fails before that. */
async function begun(
  request: IncomingMessage,
  pieces: Pieces,
  hold: (pieces: Pieces) => Pieces,
): Promise<Answer | StreamedAnswer> {
  const contentType = contentTypeOf(request);
  const prelude = contentType === httpResponse ? await readPrelude(pieces) : undefined;
  const taken: Uint8Array[] =
    prelude === undefined || prelude.rest.length === 0 ? [] : [prelude.rest];
  if (taken.length === 0) {
    const first = await pieces.next();
    if (first.done !== true) taken.push(first.value);
  }
  const chunks = hold(joined(taken, pieces));
  if (prelude === undefined) return { contentType, chunks };
  const answer = await encodeHttpAnswer({ ...prelude.head, body: chunks });
  if (answer.status === undefined || !bodilessStatuses.has(answer.status)) return answer;
  // Whatever the program sends has no place behind such a status.
  for await (const _ of joined([], pieces));
  const { contentType: type, status, headers = [] } = answer;
  return { contentType: type, status, headers, body: new Uint8Array() };
}

/** Reads up to where the body begins. @throws SyntaxError, InvalidPrelude. */
async function readPrelude(pieces: Pieces): Promise<{ head: object; rest: Buffer }> {
  let bytes = Buffer.alloc(0);
  for (let end = -1; ; end = bytes.indexOf(preludeEnd)) {
    if (end >= 0) {
      const rest = bytes.subarray(end + preludeEnd.length);
      return { head: parsePrelude(bytes.subarray(0, end)), rest };
    }
    const step = await pieces.next();
    if (step.done === true || bytes.length > maxGuestHeaderBytes) {
      throw namedError("InvalidPrelude", "The answer's prelude does not end with eight NULs");
    }
    bytes = Buffer.concat([bytes, step.value]);
  }
}

/** @throws what the program reports behind its answer, and TruncatedAnswer where it breaks it off. */
async function* piecesOf(request: IncomingMessage, onEnd: () => void): Pieces {
  try {
    for await (const piece of request.iterator({ destroyOnReturn: false })) yield piece as Buffer;
  } catch {
    throw namedError("TruncatedAnswer", "The program broke its answer off");
  } finally {
    onEnd();
  }
  const error = trailedError(request);
  if (error !== undefined) throw error;
}

async function* joined(taken: readonly Uint8Array[], pieces: Pieces): Pieces {
  yield* taken;
  yield* pieces;
}

/** Ends as the pieces do, but not before the program is ready for the next event. */
async function* held(exchange: Exchange, id: string, pieces: Pieces): Pieces {
  try {
    yield* pieces;
  } finally {
    await exchange.finish(id);
  }
}
