import { type OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { Env } from "hono";
import type { Tag } from "./scopes.ts";

/** The methods that the OpenAPI document has a word for, though any is taken. */
export const describedMethods = [
  "get",
  "put",
  "post",
  "delete",
  "options",
  "head",
  "patch",
] as const;

/** Methods of which a request has a body. */
const bodied: readonly string[] = ["put", "post", "patch"];

/** A path of a route that takes any method. */
export interface AnyMethodPath {
  readonly path: string;
  /** What is behind the method in the operation's id. */
  readonly id: string;
  readonly params: z.ZodObject;
}

export interface AnyMethodRoute {
  readonly tag: Tag;
  readonly summary: string;
  readonly description: string;
  readonly responses: RouteConfig["responses"];
  readonly paths: readonly AnyMethodPath[];
}

/** Any content, such as this. */
export function anything(example: string): { "*/*": { schema: z.ZodType; example: string } } {
  return { "*/*": { schema: z.unknown(), example } };
}

/** Describes a route that takes any method, which OpenAPI has no word for: each method stands for itself. */
export function describeAnyMethod<E extends Env>(
  { openAPIRegistry }: OpenAPIHono<E>,
  { tag, summary, description, responses, paths }: AnyMethodRoute,
): void {
  for (const method of describedMethods) {
    const body = { body: { content: anything("name=Ada"), required: false } };
    for (const { path, id, params } of paths) {
      openAPIRegistry.registerPath({
        method,
        path,
        operationId: `${method}${id}`,
        tags: [tag],
        summary,
        description,
        request: { ...(bodied.includes(method) && body), params },
        responses,
      });
    }
  }
}
