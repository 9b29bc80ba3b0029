import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { InvocationError, RunletError } from "../domain/errors.ts";
import type { Functions } from "../domain/functions.ts";
import type { Invoker } from "../domain/invoker.ts";
import { anything, describeAnyMethod } from "./any-method.ts";
import { allowReading, isPreflight, preflightAnswer } from "./cors.ts";
import { refuseServiceWorker } from "./guest-headers.ts";
import { functionAddress, httpRequest, networkOf } from "./http-request.ts";
import { type BodyBounds, bodyOf } from "./request-body.ts";
import { type NodeEnv, respond } from "./respond.ts";
import { problemAnswers } from "./problem-answers.ts";
import type { Fail } from "./problem.ts";
import { traceOf } from "./trace.ts";

export interface FunctionUrlOptions extends BodyBounds {
  functions: Functions;
  invoker: Invoker;
  fail: Fail;
}

/** `/f/{function}`: HTTP as it comes, to functions that answer it themselves. */
export function functionUrlRoutes({
  functions,
  invoker,
  fail,
  ...bounds
}: FunctionUrlOptions): OpenAPIHono<NodeEnv> {
  const router = new OpenAPIHono<NodeEnv>();
  const serve = async (context: Context<NodeEnv>): Promise<Response> => {
    const { raw } = context.req;
    refuseServiceWorker(context.env.incoming);
    const { name, qualifier, prefix } = functionAddress(raw.url);
    const version = functions.resolve(name, qualifier);
    const { public: isPublic, cors } = version.config.http;
    if (!isPublic) throw notPublic(name);
    if (cors !== undefined && isPreflight(raw)) return preflightAnswer(raw, cors);
    const http = httpRequest(raw, context.env, prefix);
    const response = await invoker
      .openVersion(version, {
        qualifier,
        ...(await bodyOf(context, invoker.mayStream(version), bounds)),
        http,
        caller: networkOf(context.env),
        trace: traceOf(context),
        signal: raw.signal,
      })
      .then(
        (answer) => respond(answer, context),
        (error: unknown) => fail(error, context, withoutInside(error)),
      );
    if (cors !== undefined) allowReading(response, raw, cors);
    return response;
  };
  for (const path of ["/:target", "/:target/*"]) router.all(path, serve);
  describe(router);
  return router;
}

function notPublic(name: string): RunletError {
  return new RunletError(
    "permission_denied",
    `Cannot call function ${name} at its URL: it is not public. Deploy it with http.public`,
  );
}

/** How an invocation failed is for whose function it is, and not for who called it from anywhere. */
function withoutInside(error: unknown): unknown {
  if (!(error instanceof InvocationError)) return error;
  // The size of the body is the caller's own business.
  const isOutside = error.code === "payload_too_large";
  const fact = isOutside ? error.message : "Cannot answer: the invocation failed. See its record";
  const told = new RunletError(error.code, fact);
  const { invocationId, traceId } = error;
  return new InvocationError(told, { invocationId, traceId });
}

function describe(router: OpenAPIHono<NodeEnv>): void {
  const target = z.string().openapi({
    param: { name: "target", in: "path" },
    description: "A function, with a version or an alias behind a colon",
    example: "hello:3",
  });
  const path = z.string().openapi({
    param: { name: "path", in: "path" },
    description: "The path that the function sees",
    example: "users/7",
  });
  describeAnyMethod(router, {
    tag: "function URLs",
    summary: "Have a public function answer an HTTP request",
    description:
      "`target` is a function's name, with `:` and a version's number after it where it is not the latest. Method, path, query, headers and body go to the function as they come. A body over 64 KiB, or of a length that is not told, reaches a fetch-style handler of node while it is still being sent, and may be answered meanwhile; any other handler gets it as a whole, up to the bound of an event.",
    responses: {
      200: { description: "The function's own answer", content: anything("Hello, Ada") },
      ...problemAnswers(
        "permission_denied",
        "not_found",
        "failed_precondition",
        "payload_too_large",
        "resource_exhausted",
        "cancelled",
        "runtime_failed",
        "function_error",
        "protocol_violation",
        "unavailable",
        "function_timeout",
        "deadline_exceeded",
      ),
    },
    paths: [
      { path: "/{target}", id: "FunctionUrl", params: z.object({ target }) },
      { path: "/{target}/{path}", id: "FunctionUrlPath", params: z.object({ target, path }) },
    ],
  });
}
