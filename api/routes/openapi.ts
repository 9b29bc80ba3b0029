import { OpenAPIHono, type z } from "@hono/zod-openapi";
import type { Env } from "hono";
import packageJson from "../../package.json" with { type: "json" };
import { problem } from "../schema/problem.ts";
import { problems, validationProblem } from "./problem.ts";

/** A router whose requests are checked by their schemas, with problems as answers. */
export function createRouter<E extends Env = Env>(): OpenAPIHono<E> {
  return new OpenAPIHono<E>({
    defaultHook: (result, context) =>
      result.success ? undefined : validationProblem(result.error, context),
  });
}

/** A JSON answer of a route definition. */
export function jsonAnswer<T extends z.ZodType>(
  schema: T,
  description: string,
): { content: { "application/json": { schema: T } }; description: string } {
  return { content: { "application/json": { schema } }, description };
}

/** The answers that any route may give beside its own. */
export const problemAnswers = {
  "4XX": {
    content: { "application/problem+json": { schema: problem } },
    description: "The request could not be served; `code` tells why",
  },
  "5XX": {
    content: { "application/problem+json": { schema: problem } },
    description: "The function or Runlet failed; `code` tells which",
  },
} as const;

const description = `Functions and code sandboxes, each in its own gVisor container.

Errors are \`application/problem+json\` with a stable \`code\`:

| code | status | meaning | what to do |
| ---- | ------ | ------- | ---------- |
${Object.entries(problems)
  .map(([code, { status, title, advice }]) => `| \`${code}\` | ${status} | ${title} | ${advice} |`)
  .join("\n")}
`;

/** Serves the OpenAPI document of all routes mounted on `app` at /openapi.json. */
export function describeApi(app: OpenAPIHono): void {
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: {
      title: "Runlet",
      version: packageJson.version,
      description,
    },
  });
}
