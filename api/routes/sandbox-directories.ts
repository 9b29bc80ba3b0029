import type { IncomingMessage } from "node:http";
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { FileWatch } from "../domain/sandboxes/file-watch.ts";
import type { Sandboxes } from "../domain/sandboxes/sandboxes.ts";
import { sandboxId } from "../schema/sandbox.ts";
import { fileChange, fileQuery, unpackedFiles, watchQuery } from "../schema/sandbox-file.ts";
import { eventStream } from "./event-stream.ts";
import { exactPath } from "./exact-path.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";
import type { NodeEnv } from "./respond.ts";
import { passOver, sentBytes } from "./sandbox-bytes.ts";

const params = z.object({ id: sandboxId });
const tags = ["sandbox files"];
const tar = { "application/x-tar": { schema: z.unknown(), example: "The bytes of a tar file" } };
const problems = problemAnswers("invalid_argument", "not_found", "failed_precondition");

const pack = createRoute({
  method: "get",
  path: "/{id}/files/archive",
  operationId: "packDirectory",
  tags,
  summary: "Download a directory with all that it holds as a tar",
  request: { params, query: fileQuery },
  responses: { 200: { description: "The tar", content: tar }, ...problems },
});

const unpack = createRoute({
  method: "put",
  path: "/{id}/files/archive",
  operationId: "unpackDirectory",
  tags,
  summary: "Upload a tar, plain or compressed, into a directory, which is made if it is missing",
  request: { params, query: fileQuery, body: { content: tar, required: true } },
  responses: { 200: jsonAnswer(unpackedFiles, "What it held stands there"), ...problems },
});

const watch = createRoute({
  method: "get",
  path: "/{id}/files/watch",
  operationId: "watchDirectory",
  tags,
  summary: "Follow what changes below a directory, until it is gone",
  request: { params, query: watchQuery },
  responses: {
    200: {
      description: "Server-sent events, each with JSON as its data and that one's type as its name",
      content: { "text/event-stream": { schema: fileChange } },
    },
    ...problems,
  },
});

/** `/v1/sandboxes/{id}/files` of whole directories. */
export function sandboxDirectoryRoutes(sandboxes: Sandboxes): OpenAPIHono<NodeEnv> {
  return createRouter<NodeEnv>()
    .openapi(pack, async (context) => {
      const sandbox = sandboxes.find(context.req.valid("param").id);
      const { path, user } = exactPath(context.req.url, context.req.valid("query"));
      const archive = sandbox.tools.pack(path, { user }, context.req.raw.signal);
      // A directory that cannot be read is told before the head of the answer.
      const first = await archive.next();
      const bytes = (async function* () {
        if (!first.done) yield first.value;
        yield* archive;
      })();
      const busy = new DisposableStack();
      busy.use(sandbox.activity.begin());
      // Whoever never asked for a byte has not begun what would end it.
      busy.defer(() => void archive.return(undefined));
      const body = sentBytes(ReadableStream.from(bytes), context.env, busy);
      return new Response(body, { headers: { "content-type": "application/x-tar" } });
    })
    .openapi(unpack, async (context) => {
      const sandbox = sandboxes.find(context.req.valid("param").id);
      const { path, user } = exactPath(context.req.url, context.req.valid("query"));
      using _busy = sandbox.activity.begin();
      const { incoming }: { incoming: IncomingMessage } = context.env;
      const content = incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
      try {
        const { signal } = context.req.raw;
        return context.json(
          { entries: await sandbox.tools.unpack(path, content, { user }, signal) },
          200,
        );
      } catch (error) {
        await passOver(context.env);
        throw error;
      }
    })
    .openapi(watch, async (context) => {
      const sandbox = sandboxes.find(context.req.valid("param").id);
      const { path, ...options } = exactPath(context.req.url, context.req.valid("query"));
      return eventStream(await FileWatch.begin(sandbox, path, options, context.req.raw.signal));
    });
}
