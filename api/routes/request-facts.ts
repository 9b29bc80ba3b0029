import type { Context } from "hono";
import { matchedRoutes, routePath } from "hono/route";
import { callerOf } from "./gate.ts";

/** What a log line or a span may tell of a request: ids and the route, and nothing that its caller wrote. */
export interface RequestFacts {
  readonly keyId?: string | undefined;
  readonly functionName?: string | undefined;
  readonly sandboxId?: string | undefined;
  readonly invocationId?: string | undefined;
  readonly traceId?: string | undefined;
}

/** The ids that a request and its answer have to do with. */
export function factsOf(context: Context, response: Response): RequestFacts {
  const route = routeOf(context) ?? "";
  const about = (prefix: string, name: string): string | undefined =>
    route.startsWith(prefix) ? context.req.param(name) : undefined;
  return {
    keyId: callerOf(context)?.id,
    functionName: about("/v1/functions/{name}", "name") ?? about("/f/{target}", "target"),
    sandboxId: about("/v1/sandboxes/{id}", "id"),
    invocationId: response.headers.get("runlet-invocation-id") ?? undefined,
    traceId: response.headers.get("runlet-trace-id") ?? undefined,
  };
}

/** The route that answers a request, as the OpenAPI document writes it; undefined where there is none. */
export function routeOf(context: Context): string | undefined {
  const own = routePath(context);
  const path = own === anyPath ? lastMatched(context) : own;
  return path?.replaceAll(/:(\w+)(\{[^}]*\})?/g, "{$1}");
}

/** What stands before all routes. */
const anyPath = "/*";

/** The route that a request was meant for which got no further than to what stands before them. */
function lastMatched(context: Context): string | undefined {
  const paths = matchedRoutes(context)
    .map(({ path }) => path)
    .filter((path) => path !== anyPath);
  return paths.findLast((path) => !path.endsWith("*")) ?? paths.at(-1);
}
