import type { TestServer } from "./server.ts";

/** Posts an event to a function as its caller would, and answers whatever came. */
export async function call(
  server: TestServer,
  name: string,
  event: { body?: string | Uint8Array; type?: string; signal?: AbortSignal } = {},
): Promise<Response> {
  const { body = "{}", type = "application/json", signal } = event;
  return await server.fetch(`/v1/functions/${name}/invocations`, {
    method: "POST",
    body: typeof body === "string" ? body : new Uint8Array(body),
    headers: { "content-type": type },
    ...(signal && { signal }),
  });
}
