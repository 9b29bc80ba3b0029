import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { HonoRequest } from "hono";
import type { Sandboxes } from "../domain/sandboxes/sandboxes.ts";
import { sandboxId } from "../schema/sandbox.ts";
import {
  fileEntry,
  fileListing,
  fileQuery,
  listQuery,
  mkdirRequest,
  moveRequest,
  removeQuery,
  writeQuery,
  writtenFile,
} from "../schema/sandbox-file.ts";
import { RunletError } from "../domain/errors.ts";
import { exactPath } from "./exact-path.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";
import type { NodeEnv } from "./respond.ts";
import { passOver, sentBytes, wholeOf } from "./sandbox-bytes.ts";

/** What is no longer goes as one piece: a stream of it would cost more than its bytes. */
const smallFileBytes = 64 * 1024;
const params = z.object({ id: sandboxId });
const tags = ["sandbox files"];
const problems = problemAnswers(
  "invalid_argument",
  "not_found",
  "already_exists",
  "failed_precondition",
  "permission_denied",
  "resource_exhausted",
);
const anyBytes = { "application/octet-stream": { schema: z.unknown(), example: "The bytes" } };

const read = createRoute({
  method: "get",
  path: "/{id}/files",
  operationId: "readFile",
  tags,
  summary: "Read a file, or a range of it",
  request: {
    params,
    query: fileQuery,
    headers: z.object({
      range: z.string().max(64).optional().openapi({
        description: "One range of bytes (RFC 9110, 14.2)",
        example: "bytes=0-99",
      }),
    }),
  },
  responses: {
    200: { description: "The file", content: anyBytes },
    206: { description: "The range", content: anyBytes },
    416: { description: "The range begins behind the end of the file" },
    ...problems,
  },
});

const write = createRoute({
  method: "put",
  path: "/{id}/files",
  operationId: "writeFile",
  tags,
  summary: "Write a file; it stands there once it is whole",
  request: { params, query: writeQuery, body: { content: anyBytes, required: true } },
  responses: { 200: jsonAnswer(writtenFile, "The file stands"), ...problems },
});

const remove = createRoute({
  method: "delete",
  path: "/{id}/files",
  operationId: "removeFile",
  tags,
  summary: "Remove a file or a directory",
  request: { params, query: removeQuery },
  responses: { 204: { description: "Removed" }, ...problems },
});

const stat = createRoute({
  method: "get",
  path: "/{id}/files/entry",
  operationId: "statFile",
  tags,
  summary: "Show what stands at a path; a link is shown and not followed",
  request: { params, query: fileQuery },
  responses: { 200: jsonAnswer(fileEntry, "What stands there"), ...problems },
});

const list = createRoute({
  method: "get",
  path: "/{id}/files/list",
  operationId: "listFiles",
  tags,
  summary: "List a directory; paths are relative to it",
  request: { params, query: listQuery },
  responses: { 200: jsonAnswer(fileListing, "What it holds"), ...problems },
});

const mkdir = createRoute({
  method: "post",
  path: "/{id}/files/mkdir",
  operationId: "makeDirectory",
  tags,
  summary: "Make a directory",
  request: {
    params,
    body: { content: { "application/json": { schema: mkdirRequest } }, required: true },
  },
  responses: { 201: jsonAnswer(fileEntry, "The directory"), ...problems },
});

const move = createRoute({
  method: "post",
  path: "/{id}/files/move",
  operationId: "moveFile",
  tags,
  summary: "Move a file or a directory",
  request: {
    params,
    body: { content: { "application/json": { schema: moveRequest } }, required: true },
  },
  responses: { 200: jsonAnswer(fileEntry, "What was moved"), ...problems },
});

/** `/v1/sandboxes/{id}/files`. */
export function sandboxFileRoutes(sandboxes: Sandboxes): OpenAPIHono<NodeEnv> {
  return createRouter<NodeEnv>()
    .openapi(read, async (context) => {
      const sandbox = sandboxes.find(context.req.valid("param").id);
      const { path, user } = exactPath(context.req.url, context.req.valid("query"));
      const { files } = sandbox.use();
      const asked = context.req.valid("header").range;
      const range =
        asked === undefined
          ? undefined
          : await rangeOf(
              asked,
              async () => (await files.read(path, { user, length: 0 })).sizeBytes,
            );
      if (range === "unsatisfiable") return new Response(null, { status: 416 });
      const file = await files.read(path, { user, ...range });
      const busy = sandbox.activity.begin();
      const end =
        range === undefined ? file.sizeBytes : Math.min(file.sizeBytes, range.start + range.length);
      const headers: Record<string, string> = {
        "content-type": "application/octet-stream",
        "content-length": String(end - (range?.start ?? 0)),
        "accept-ranges": "bytes",
        "last-modified": new Date(file.modifiedAtMs).toUTCString(),
      };
      if (range) headers["content-range"] = `bytes ${range.start}-${end - 1}/${file.sizeBytes}`;
      const body =
        end - (range?.start ?? 0) <= smallFileBytes
          ? await wholeOf(file.body, busy)
          : sentBytes(file.body, context.env, busy);
      return new Response(body, { status: range ? 206 : 200, headers });
    })
    .openapi(write, async (context) => {
      const sandbox = sandboxes.find(context.req.valid("param").id);
      const { path, user, mode, parents } = exactPath(context.req.url, context.req.valid("query"));
      using _busy = sandbox.activity.begin();
      const options = { user, mode, makeParents: parents };
      try {
        const { files } = sandbox.use();
        const content = await contentOf(context.req, context.env);
        return context.json(await files.write(path, content, options, context.req.raw.signal), 200);
      } catch (error) {
        await passOver(context.env);
        throw error;
      }
    })
    .openapi(remove, async (context) => {
      const { path, ...options } = exactPath(context.req.url, context.req.valid("query"));
      await sandboxes.find(context.req.valid("param").id).use().files.remove(path, options);
      return context.body(null, 204);
    })
    .openapi(stat, async (context) => {
      const { path, user } = exactPath(context.req.url, context.req.valid("query"));
      const { files } = sandboxes.find(context.req.valid("param").id).look();
      return context.json(await files.stat(path, { user }), 200);
    })
    .openapi(list, async (context) => {
      const { path, ...options } = exactPath(context.req.url, context.req.valid("query"));
      const { files } = sandboxes.find(context.req.valid("param").id).look();
      return context.json(await files.list(path, options), 200);
    })
    .openapi(mkdir, async (context) => {
      const { path, parents, ...options } = context.req.valid("json");
      const { files } = sandboxes.find(context.req.valid("param").id).use();
      return context.json(await files.mkdir(path, { ...options, makeParents: parents }), 201);
    })
    .openapi(move, async (context) => {
      const { path, to, ...options } = context.req.valid("json");
      const { files } = sandboxes.find(context.req.valid("param").id).use();
      return context.json(await files.move(path, to, options), 200);
    });
}

/** What is to be written: whole where that is small, else as it comes. */
async function contentOf(
  request: HonoRequest,
  { incoming }: NodeEnv["Bindings"],
): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const isSmall = Number(incoming.headers["content-length"]) <= smallFileBytes;
  if (isSmall) return new Uint8Array(await request.arrayBuffer());
  return incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
}

/** The one range that a header asks for; the size of the file is asked for only where it is needed. */
async function rangeOf(
  header: string,
  sizeOf: () => Promise<number>,
): Promise<{ start: number; length: number } | "unsatisfiable"> {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header);
  const [, first = "", last = ""] = match ?? [];
  if (match === null || (first === "" && last === "")) {
    throw new RunletError(
      "invalid_argument",
      `Cannot take the range ${header}: expected one of bytes, such as bytes=0-99`,
    );
  }
  const size = await sizeOf();
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  return start >= size || end <= start ? "unsatisfiable" : { start, length: end - start };
}
