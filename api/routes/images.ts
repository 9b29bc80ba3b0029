import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { stream } from "hono/streaming";
import type { Images } from "../domain/images.ts";
import { pageLimit } from "../schema/common.ts";
import { image, imageLine, imagePage, type ImageProgress } from "../schema/image.ts";
import { createRouter, jsonAnswer } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";
import { problemOf } from "./problem.ts";

const params = z.object({
  name: z.string().min(1).max(63).openapi({ description: "Name of an image" }),
});

const list = createRoute({
  method: "get",
  path: "/",
  operationId: "listImages",
  tags: ["images"],
  summary: "List images by name",
  request: {
    query: z.object({
      limit: pageLimit,
      after: params.shape.name
        .optional()
        .openapi({ description: "Cursor: `next` of the page before" }),
    }),
  },
  responses: {
    200: jsonAnswer(imagePage, "A page of images"),
    ...problemAnswers("invalid_argument"),
  },
});

const get = createRoute({
  method: "get",
  path: "/{name}",
  operationId: "getImage",
  tags: ["images"],
  summary: "Show one image",
  request: { params },
  responses: {
    200: jsonAnswer(image, "The image"),
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/{name}",
  operationId: "deleteImage",
  tags: ["images"],
  summary: "Remove an image that was added",
  request: { params },
  responses: {
    204: { description: "Removed" },
    ...problemAnswers("invalid_argument", "not_found", "failed_precondition"),
  },
});

const add = createRoute({
  method: "put",
  path: "/{name}",
  operationId: "putImage",
  tags: ["images"],
  summary: "Add an image from a root file system as tar, or from an OCI archive",
  description:
    "The answer is newline-delimited JSON: lines of progress, then `{image}` or `{problem}` as the last one.",
  request: {
    params,
    body: {
      content: { "application/x-tar": { schema: z.unknown(), example: "The bytes of a tar file" } },
      required: true,
    },
  },
  responses: {
    200: { content: { "application/x-ndjson": { schema: imageLine } }, description: "Progress" },
    ...problemAnswers("invalid_argument"),
  },
});

/** `/v1/images`. */
export function imageRoutes(images: Images): OpenAPIHono {
  return createRouter()
    .openapi(list, async (context) => {
      return context.json(await images.list(context.req.valid("query")), 200);
    })
    .openapi(get, async (context) => {
      return context.json(await images.get(context.req.valid("param").name), 200);
    })
    .openapi(remove, async (context) => {
      await images.remove(context.req.valid("param").name);
      return context.body(null, 204);
    })
    .openapi(add, (context) => {
      const { name } = context.req.valid("param");
      const { body, signal } = context.req.raw;
      context.header("content-type", "application/x-ndjson");
      const answer = stream(context, async (output) => {
        const write = (line: unknown): Promise<unknown> => output.writeln(JSON.stringify(line));
        const onProgress = (progress: ImageProgress): void => void write({ progress });
        try {
          await write({ image: await images.add(name, body, { onProgress, signal }) });
        } catch (error) {
          await write({ problem: problemOf(error) });
        }
      });
      // The router takes any media type of this name for one JSON value.
      return answer as never;
    });
}
