import { OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { requirePace } from "./body-pace.ts";
import { eventTooLarge } from "./domain/body-stream.ts";
import type { DeadLetters } from "./domain/events/dead-letters.ts";
import type { Events } from "./domain/events/events.ts";
import type { Aliases } from "./domain/aliases.ts";
import type { Concurrency } from "./domain/concurrency.ts";
import type { Executor } from "./domain/executor.ts";
import type { Functions } from "./domain/functions.ts";
import type { IdempotentInvoker } from "./domain/idempotency.ts";
import type { Images } from "./domain/images.ts";
import type { Invocations } from "./domain/invocations.ts";
import type { Invoker } from "./domain/invoker.ts";
import type { Keys } from "./domain/keys/keys.ts";
import type { Secrets } from "./domain/secrets.ts";
import type { Commands } from "./domain/sandboxes/commands.ts";
import type { Contexts } from "./domain/sandboxes/contexts.ts";
import type { SandboxEvents } from "./domain/sandboxes/events.ts";
import type { Webhooks } from "./domain/webhooks/webhooks.ts";
import type { Sandboxes } from "./domain/sandboxes/sandboxes.ts";
import type { Snapshots } from "./domain/sandboxes/snapshots.ts";
import type { Schedules } from "./domain/schedules/schedules.ts";
import { deadLetterRoutes } from "./routes/dead-letters.ts";
import { eventRoutes } from "./routes/events.ts";
import { batchRoutes } from "./routes/batch.ts";
import { type Gate, guard } from "./routes/gate.ts";
import { keyRoutes } from "./routes/keys.ts";
import type { Statistics } from "./domain/statistics.ts";
import type { Logs } from "./domain/logs.ts";
import type { Versions } from "./domain/versions.ts";
import { aliasRoutes } from "./routes/aliases.ts";
import { concurrencyRoutes } from "./routes/concurrency.ts";
import { executeRoutes } from "./routes/execute.ts";
import { followRoutes } from "./routes/follow.ts";
import { functionRoutes } from "./routes/functions.ts";
import { functionUrlRoutes } from "./routes/function-url.ts";
import { healthRoutes, type Readiness } from "./routes/health.ts";
import { imageRoutes } from "./routes/images.ts";
import { invocationRoutes } from "./routes/invocations.ts";
import { invokeRoutes } from "./routes/invoke.ts";
import { docsRoutes } from "./routes/docs.ts";
import { mcpRoutes } from "./routes/mcp.ts";
import { describeApi } from "./routes/openapi.ts";
import { secretRoutes } from "./routes/secrets.ts";
import { statisticsRoutes } from "./routes/statistics.ts";
import { routeNotFound } from "./routes/problem.ts";
import type { NodeEnv } from "./routes/respond.ts";
import { sandboxEventRoutes } from "./routes/sandbox-events.ts";
import { webhookRoutes } from "./routes/webhooks.ts";
import { sandboxCommandRoutes } from "./routes/sandbox-commands.ts";
import { sandboxContextRoutes } from "./routes/sandbox-contexts.ts";
import { sandboxDirectoryRoutes } from "./routes/sandbox-directories.ts";
import { sandboxFileRoutes } from "./routes/sandbox-files.ts";
import { sandboxPortRoutes } from "./routes/sandbox-ports.ts";
import { sandboxTerminalRoutes } from "./routes/sandbox-terminals.ts";
import { sandboxRoutes } from "./routes/sandboxes.ts";
import { scheduleRoutes } from "./routes/schedules.ts";
import { sandboxSnapshotRoutes, snapshotRoutes } from "./routes/snapshots.ts";
import { versionRoutes } from "./routes/versions.ts";
import { failWith } from "./request-failure.ts";
import type { watchRequests } from "./request-watch.ts";

/** What the faces are of. */
export interface AppServices {
  functions: Functions;
  versions: Versions;
  aliases: Aliases;
  concurrency: Concurrency;
  invocations: Invocations;
  logs: Logs;
  statistics: Statistics;
  invoker: Invoker;
  events: Events;
  idempotentInvoker: IdempotentInvoker;
  deadLetters: DeadLetters;
  executor: Executor;
  images: Images;
  secrets: Secrets;
  keys: Keys;
  schedules: Schedules;
  sandboxes: Sandboxes;
  sandboxEvents: SandboxEvents;
  webhooks: Webhooks;
  contexts: Contexts;
  commands: Commands;
  snapshots: Snapshots;
}

export interface AppOptions extends AppServices {
  /** Stands before every route. */
  gate: Gate;
  readiness: () => Readiness;
  /** Whether the server is about to end. */
  isClosing: () => boolean;
  metrics: Registry;
  /** Told why a request was turned away with 429: its caller comes too often, or there is no room. */
  onThrottled: (reason: "rate" | "capacity") => void;
  log: Logger;
  /** Follows requests to the end of their answers, where somebody wants to know of them. */
  watch: ReturnType<typeof watchRequests>;
  maxEventBytes: number;
  /** Bound of a request's body that its function reads as it comes. */
  maxStreamedRequestBytes: number;
  maxCodeBytes: number;
  /** Where this server answers, for what speaks to it as a client does. */
  url: () => string;
}

/** What is asked of a sandbox, and a piece of input for it. Files stream, and have no bound here. */
const maxCommandBytes = 16 * 1024 * 1024;

/** Schedules are read whole when they come due. */
const maxScheduleBytes = 256 * 1024;

/** The HTTP face: which route is where, and what goes for all of them. */
export function createApp(options: AppOptions): OpenAPIHono {
  const { functions, invoker, events } = options;
  const fail = failWith(options);
  const app = new OpenAPIHono();
  const around: MiddlewareHandler<NodeEnv> = async (context, next) => {
    using _pace = requirePace(context.env);
    await next();
    // Nobody reads the body of an answer to HEAD, and what makes it must not go on.
    if (context.req.raw.method === "HEAD") await context.res.body?.cancel();
    // A server that is going away must not have its last callers wait for their connections' end.
    if (options.isClosing()) context.header("connection", "close");
  };
  app.use(around);
  if (options.watch !== undefined) app.use(options.watch);
  app.use(guard(options.gate));
  // Code travels as base64 inside JSON.
  const codeLimit = limitBody(Math.ceil(options.maxCodeBytes * 1.5) + 65_536);
  app.use("/v1/functions/:name", codeLimit);
  app.use("/v1/execute", codeLimit);
  app.use("/v1/functions/:name/invocations", limitBody(options.maxEventBytes));
  app.use("/v1/functions/:name/batch", limitBody(options.maxEventBytes));
  app.use("/v1/schedules/*", limitBody(maxScheduleBytes));
  app.route("/v1/functions", functionRoutes(functions, options.concurrency));
  app.route("/v1/functions", batchRoutes(invoker));
  app.route("/v1/functions", statisticsRoutes(options.statistics));
  app.use("/v1/functions/:name/aliases/*", limitBody(65_536));
  app.route("/v1/functions", aliasRoutes(options.aliases));
  app.use("/v1/functions/:name/concurrency", limitBody(65_536));
  app.route("/v1/functions", concurrencyRoutes(options.concurrency));
  app.route("/v1/functions", versionRoutes(functions, options.versions));
  app.route("/f", functionUrlRoutes({ ...options, fail }));
  app.route(
    "/v1/functions",
    invokeRoutes({ invoker, events, idempotent: options.idempotentInvoker }),
  );
  app.route("/v1/events", eventRoutes(events));
  app.route("/v1/dead-letters", deadLetterRoutes(options.deadLetters));
  app.route("/v1/execute", executeRoutes(options.executor));
  app.route("/v1/invocations", invocationRoutes(options.invocations));
  app.route("/v1", followRoutes(options.logs));
  app.route("/v1/images", imageRoutes(options.images));
  app.route("/v1/secrets", secretRoutes(options.secrets));
  app.use("/v1/keys", limitBody(65_536));
  app.use("/v1/webhooks/*", limitBody(65_536));
  app.route("/v1/keys", keyRoutes(options.keys));
  app.route("/v1/schedules", scheduleRoutes(options.schedules));
  app.route("/v1/sandboxes", sandboxDirectoryRoutes(options.sandboxes));
  app.route("/v1/sandboxes", sandboxFileRoutes(options.sandboxes));
  app.route("/v1/sandboxes", sandboxPortRoutes(options));
  app.use("/v1/sandboxes/*", limitBody(maxCommandBytes));
  app.route("/v1/sandboxes", sandboxRoutes(options.sandboxes, options.snapshots));
  app.route("/v1", sandboxEventRoutes(options.sandboxEvents));
  app.route("/v1/webhooks", webhookRoutes(options.webhooks));
  app.route("/v1/sandboxes", sandboxSnapshotRoutes(options.snapshots));
  app.route("/v1/snapshots", snapshotRoutes(options.snapshots));
  app.route("/v1/sandboxes", sandboxCommandRoutes(options.sandboxes, options.commands));
  app.route("/v1/sandboxes", sandboxTerminalRoutes(options.sandboxes, options.commands));
  app.route("/v1/sandboxes", sandboxContextRoutes(options.contexts));
  app.route("/", healthRoutes(options.readiness, options.metrics));
  app.use("/mcp", limitBody(maxCommandBytes));
  app.route(
    "/",
    mcpRoutes(async (request, apiKey) => {
      // Few servers are spoken to so, and none has to wait for it at its start.
      const { answerMcp } = await import("./mcp/http.ts");
      return await answerMcp(request, { url: options.url(), apiKey });
    }),
  );
  app.route("/docs", docsRoutes());
  describeApi(app);
  app.notFound(routeNotFound);
  app.onError((error, context) => fail(error, context));
  return app;
}

function limitBody(maxSize: number): MiddlewareHandler {
  const refuse = (): never => {
    throw eventTooLarge(maxSize);
  };
  const limitStream = bodyLimit({ maxSize, onError: refuse });
  return async (context, next) => {
    const length = context.req.header("content-length");
    // Hono's own looks at the body as a web stream, which costs more than all the rest of a request.
    if (length === undefined) return await limitStream(context, next);
    if (Number(length) > maxSize) refuse();
    return await next();
  };
}
