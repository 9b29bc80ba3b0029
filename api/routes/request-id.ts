import { randomUUID } from "node:crypto";
import type { Context } from "hono";

interface RequestEnv {
  Variables: { requestId: string | undefined };
}

/** What a request is called in the log, and in the answer where that is a problem; made when it is asked for. */
export function requestIdOf(context: Context): string {
  const own = context as Context<RequestEnv>;
  const known = own.get("requestId");
  if (known !== undefined) return known;
  const id = randomUUID();
  own.set("requestId", id);
  return id;
}
