import type { Cors } from "../schema/http-access.ts";

/** Tells whether a request only asks a browser's question: whether the real one would be allowed. */
export function isPreflight(request: Request): boolean {
  const { method, headers } = request;
  return (
    method === "OPTIONS" && headers.has("origin") && headers.has("access-control-request-method")
  );
}

/** The answer to a preflight request. */
export function preflightAnswer(request: Request, cors: Cors): Response {
  const { headers: asked } = request;
  const response = new Response(null, { status: 204 });
  const { headers } = response;
  headers.set("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
  const origin = allowedOrigin(request, cors);
  if (origin === undefined) return response;
  headers.set("access-control-allow-origin", origin);
  if (cors.credentials) headers.set("access-control-allow-credentials", "true");
  // Browsers take * for a name where credentials are sent: then what was asked for says the same.
  const methods = cors.methods.includes("*")
    ? asked.get("access-control-request-method")
    : cors.methods.join(", ");
  const names = cors.headers.includes("*")
    ? asked.get("access-control-request-headers")
    : cors.headers.join(", ");
  if (methods) headers.set("access-control-allow-methods", methods);
  if (names) headers.set("access-control-allow-headers", names);
  if (cors.maxAgeSeconds !== undefined) {
    headers.set("access-control-max-age", String(cors.maxAgeSeconds));
  }
  return response;
}

/** Lets the page that asked read an answer, if it may; what a function itself says of this gives way. */
export function allowReading(response: Response, request: Request, cors: Cors): void {
  const { headers } = response;
  for (const name of ["origin", "credentials"]) headers.delete(`access-control-allow-${name}`);
  headers.delete("access-control-expose-headers");
  if (!cors.origins.includes("*")) headers.append("vary", "Origin");
  const origin = allowedOrigin(request, cors);
  if (origin === undefined) return;
  headers.set("access-control-allow-origin", origin);
  if (cors.credentials) headers.set("access-control-allow-credentials", "true");
  if (cors.exposeHeaders.length > 0) {
    headers.set("access-control-expose-headers", cors.exposeHeaders.join(", "));
  }
}

function allowedOrigin(request: Request, { origins }: Cors): string | undefined {
  const origin = request.headers.get("origin");
  if (origin === null) return undefined;
  if (origins.includes("*")) return "*";
  return origins.includes(origin) ? origin : undefined;
}
