import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Delivery } from "./delivery.ts";
import type { Exchange } from "./exchange.ts";
import { namedError } from "./named-error.ts";
import { Refusal } from "./refusal.ts";
import { readBody } from "./request-body.ts";
import { reportedError } from "./reported-error.ts";
import { contentTypeOf, isStreamed } from "./response.ts";
import { streamResponse } from "./streamed-response.ts";

const host = "127.0.0.1";
const routePattern =
  /^\/2018-06-01\/runtime\/(?:invocation\/(?:(?<next>next)|(?<id>[^/]+)\/(?<kind>response|error))|(?<init>init\/error))$/;

/**
 * Serves the Lambda Runtime API to the one program of this container; answers its `host:port` once it listens.
 * Whatever the program sends comes to a status.
 */
export async function serveRuntimeApi(exchange: Exchange, port: number): Promise<string> {
  const server = createServer((request, response) => {
    serve(exchange, request, response).catch((error: unknown) => refuse(response, error));
  });
  // A program may think, stream and be idle for as long as its invocation lets it.
  Object.assign(server, { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 });
  server.listen(port, host);
  await once(server, "listening");
  return `${host}:${port}`;
}

async function serve(
  exchange: Exchange,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method, url = "" } = request;
  const [path = ""] = url.split("?", 1);
  if (method === "GET" && /^(?:\/2018-06-01)?\/ping$/.test(path)) return void response.end("pong");
  const { next, id, kind, init } = routePattern.exec(path)?.groups ?? {};
  if (method === "GET" && next !== undefined) return answerNext(exchange, response);
  if (method !== "POST" || (id === undefined && init === undefined)) {
    throw new Refusal(404, "NotFound", `There is no ${method} ${path}`);
  }
  if (id === undefined) exchange.failInit(await readError(request, "Runtime.Unknown"));
  else if (kind === "error") {
    exchange.check(id);
    exchange.fail(id, await readError(request, "Function.Unknown"));
  } else await takeResponse(exchange, id, request);
  sendJson(response, 202, { status: "OK" });
}

function answerNext(exchange: Exchange, response: ServerResponse): void {
  const deliver = ({ headers, body }: Delivery): void => {
    response.writeHead(200, { ...headers, "Content-Length": body.length }).end(body);
  };
  exchange.next(deliver);
  response.once("close", () => exchange.leave(deliver));
}

async function takeResponse(
  exchange: Exchange,
  id: string,
  request: IncomingMessage,
): Promise<void> {
  exchange.check(id);
  if (isStreamed(request)) return await streamResponse(exchange, id, request);
  const body = await readBody(request).catch((error: unknown) => {
    if (error instanceof Refusal) exchange.fail(id, namedError("AnswerTooLarge", error.message));
    throw error;
  });
  exchange.respond(id, { contentType: contentTypeOf(request), body });
}

async function readError(
  request: IncomingMessage,
  fallback: "Runtime.Unknown" | "Function.Unknown",
): Promise<Error> {
  const header = request.headers["lambda-runtime-function-error-type"];
  const type = typeof header === "string" ? header : undefined;
  return reportedError({ type, body: await readBody(request), fallback });
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  const { status, errorType } =
    error instanceof Refusal ? error : { status: 500, errorType: "InternalServerError" };
  sendJson(response, status, { errorMessage: (error as Error).message, errorType });
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
}
