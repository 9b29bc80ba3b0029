import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { type FunctionReference, referenceIn } from "./domain/function-reference.ts";
import type { Functions } from "./domain/functions.ts";
import type { Invoker } from "./domain/invoker.ts";
import type { Gate } from "./routes/gate.ts";
import { headersOfProblem, problemOf } from "./routes/problem.ts";

export interface LoadShedderOptions {
  readonly gate: Gate;
  readonly functions: Functions;
  readonly invoker: Invoker;
  /** Whether the server is about to end: then the routes have connections end, too. */
  readonly isClosing: () => boolean;
  /** Told of each request that is turned away. */
  readonly onThrottled: (reason: "capacity") => void;
}

/** Answers a request by itself where that is its to answer, and tells whether it has. */
export type Shed = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Two ways to have a function answer at once: its invocations, and its own URL. */
const invocationPath =
  /^(?:\/v1\/functions\/([\w-]+(?::[$\w-]+)?)\/invocations$|\/f\/([\w-]+(?::[$\w-]+)?)(?:[/?]|$))/;

/** What asks for more than an answer now, or for one that a page may read, is left to the routes. */
const moreHeaders = [
  "expect",
  "idempotency-key",
  "origin",
  "prefer",
  "runlet-callback-url",
  "runlet-dry-run",
  "transfer-encoding",
] as const;

/** So much of a body that nobody wants is read, for the sake of the connection. */
const maxBodyBytes = 65_536;

/**
 * Turns away invocations for which there is no room, before anything is made of their requests: what is refused has
 * to cost next to nothing, or those who were let in wait for it. It says what the routes would; what is not plainly
 * to be refused goes on to them.
 */
export function createLoadShedder(options: LoadShedderOptions): Shed {
  const { gate, functions, invoker, isClosing, onThrottled } = options;
  return (request, response) => {
    const { method = "", url = "", headers } = request;
    const { name, qualifier, isAtUrl } = invocationIn(method, url);
    if (name === "") return false;
    try {
      const refusal = invoker.refusalOf(name);
      if (refusal === undefined || isClosing() || asksForMore(headers)) return false;
      const { http } = functions.resolve(name, qualifier).config;
      if (isAtUrl && !http.public) return false;
      gate.admit({ method, path: url.split("?", 1)[0] ?? "", headers });
      onThrottled("capacity");
      const problem = problemOf(refusal);
      const body = JSON.stringify(problem);
      response.writeHead(problem.status, {
        ...headersOfProblem(problem, randomUUID()),
        "content-length": Buffer.byteLength(body),
      });
      response.end(body);
      return true;
    } catch {
      // A bad key, a function that is not there: the routes tell it.
      return false;
    }
  };
}

/** The function that a request is to invoke; one without a name is none. */
function invocationIn(method: string, url: string): FunctionReference & { isAtUrl: boolean } {
  const [, invoked = "", atUrl] = invocationPath.exec(url) ?? [];
  const isAtUrl = atUrl !== undefined;
  return { ...referenceIn(atUrl ?? (method === "POST" ? invoked : "")), isAtUrl };
}

function asksForMore(headers: IncomingHttpHeaders): boolean {
  if (Number(headers["content-length"] ?? 0) > maxBodyBytes) return true;
  return moreHeaders.some((header) => headers[header] !== undefined);
}
