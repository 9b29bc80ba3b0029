import { OpenAPIHono, type z } from "@hono/zod-openapi";
import type { Env } from "hono";
import packageJson from "../../package.json" with { type: "json" };
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

const description = `Functions and code sandboxes, each in its own gVisor container.

Errors are \`application/problem+json\` with a stable \`code\`:

| code | status | meaning | what to do |
| ---- | ------ | ------- | ---------- |
${Object.entries(problems)
  .map(([code, { status, title, advice }]) => `| \`${code}\` | ${status} | ${title} | ${advice} |`)
  .join("\n")}
`;

/** What the operations are about. */
const tags = {
  functions: "Deployed code: immutable versions, and what they come to",
  aliases: "Names for versions of a function",
  invocations: "Calls of functions, each on record",
  logs: "Output as it comes",
  execute: "Code that is run once, without a deployment",
  events: "Calls that nobody waits for",
  "dead letters": "Events that were given up",
  schedules: "Events at set times",
  secrets: "Values that functions are given and nobody reads back",
  sandboxes: "Containers that a client opens and keeps",
  "sandbox commands": "What runs in a sandbox",
  "sandbox contexts": "Cells of code that leave their state to the next, as in a notebook",
  "sandbox files": "What stands in a sandbox",
  snapshots: "What was saved of sandboxes, with memory and files, and copies of them",
  images: "Root file systems of containers",
  "function URLs": "HTTP as it comes, to public functions",
  server: "The server itself",
};

/** Serves the OpenAPI document of all routes mounted on `app` at /openapi.json. */
export function describeApi(app: OpenAPIHono): void {
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: {
      title: "Runlet",
      version: packageJson.version,
      description,
    },
    tags: Object.entries(tags).map(([name, about]) => ({ name, description: about })),
  });
}
