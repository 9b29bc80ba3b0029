import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { createRouter, jsonAnswer } from "./openapi.ts";

/** Whether invocations are taken, and if not, why. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason?: string | undefined;
}

const health = createRoute({
  method: "get",
  path: "/healthz",
  summary: "Is the process alive",
  responses: { 200: jsonAnswer(z.object({ status: z.literal("ok") }), "It is") },
});

const readiness = z
  .object({ ready: z.boolean(), reason: z.string().optional() })
  .openapi("Readiness");

const ready = createRoute({
  method: "get",
  path: "/readyz",
  summary: "Are invocations taken",
  responses: { 200: jsonAnswer(readiness, "They are"), 503: jsonAnswer(readiness, "Not now") },
});

/** `/healthz` and `/readyz`. */
export function healthRoutes(state: Readiness): OpenAPIHono {
  return createRouter()
    .openapi(health, (context) => context.json({ status: "ok" as const }, 200))
    .openapi(ready, (context) => {
      const { reason } = state;
      const body = { ready: state.ready, ...(reason !== undefined && { reason }) };
      return context.json(body, state.ready ? 200 : 503);
    });
}
