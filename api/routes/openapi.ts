import { OpenAPIHono, type z } from "@hono/zod-openapi";
import type { Env } from "hono";
import packageJson from "../../package.json" with { type: "json" };
import { problems, validationProblem } from "./problem.ts";
import { problemAnswers } from "./problem-answers.ts";
import { accessTo, type Tag } from "./scopes.ts";

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
const tags: Readonly<Record<Tag, string>> = {
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
  "sandbox ports": "Servers that run in a sandbox, without a network",
  snapshots: "What was saved of sandboxes, with memory and files, and copies of them",
  webhooks: "URLs that are told of what happens to sandboxes",
  images: "Root file systems of containers",
  mcp: "The Model Context Protocol, for AI agents",
  "function URLs": "HTTP as it comes, to public functions",
  keys: "What programs prove with that they may ask",
  server: "The server itself",
};

/** Serves the OpenAPI document of all routes mounted on `app` at /openapi.json. */
export function describeApi(app: OpenAPIHono): void {
  describeAccess(app);
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

/** Says of each operation that is not open to anybody which keys are good for it, and how others are refused. */
function describeAccess({ openAPIRegistry }: OpenAPIHono): void {
  openAPIRegistry.registerComponent("securitySchemes", "key", {
    type: "http",
    scheme: "bearer",
    description: "A key of this server. The scopes listed are those of which it needs one",
  });
  for (const definition of openAPIRegistry.definitions) {
    if (definition.type !== "route") continue;
    const { route } = definition;
    const access = accessTo(route);
    if (access === "anybody") continue;
    const refusals = problemAnswers("unauthenticated", "permission_denied", "resource_exhausted");
    route.responses = { ...refusals, ...route.responses };
    route.security = [...access, "admin"].map((scope) => ({ key: [scope] }));
  }
}
