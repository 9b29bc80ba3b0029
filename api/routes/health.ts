import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Registry } from "prom-client";
import { createRouter, jsonAnswer } from "./openapi.ts";

/** Whether invocations are taken, and if not, why. */
export interface Readiness {
  readonly ready: boolean;
  readonly reason?: string | undefined;
}

const alive = z
  .object({ status: z.literal("ok").openapi({ description: "Always ok: it answers" }) })
  .openapi("Health", { example: { status: "ok" } });

const health = createRoute({
  method: "get",
  path: "/healthz",
  operationId: "getHealth",
  tags: ["server"],
  summary: "Is the process alive",
  responses: { 200: jsonAnswer(alive, "It is") },
});

const readiness = z
  .object({
    ready: z.boolean().openapi({ description: "Whether they are" }),
    reason: z.string().optional().openapi({ description: "Why not" }),
  })
  .openapi("Readiness", { example: { ready: true } });

const ready = createRoute({
  method: "get",
  path: "/readyz",
  operationId: "getReadiness",
  tags: ["server"],
  summary: "Are invocations taken",
  responses: { 200: jsonAnswer(readiness, "They are"), 503: jsonAnswer(readiness, "Not now") },
});

const metrics = createRoute({
  method: "get",
  path: "/metrics",
  operationId: "getMetrics",
  tags: ["server"],
  summary: "Counters, gauges and histograms for Prometheus",
  responses: {
    200: {
      content: { "text/plain": { schema: z.string(), example: "runlet_invocations_running 2\n" } },
      description: "Text exposition",
    },
  },
});

/** `/healthz`, `/readyz` and `/metrics`. */
export function healthRoutes(readinessOf: () => Readiness, registry: Registry): OpenAPIHono {
  return createRouter()
    .openapi(health, (context) => context.json({ status: "ok" as const }, 200))
    .openapi(ready, (context) => {
      const state = readinessOf();
      const { reason } = state;
      const body = { ready: state.ready, ...(reason !== undefined && { reason }) };
      return context.json(body, state.ready ? 200 : 503);
    })
    .openapi(metrics, async (context) => {
      return context.text(await registry.metrics(), 200, { "content-type": registry.contentType });
    });
}
