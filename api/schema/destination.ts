import { z } from "@hono/zod-openapi";
import { functionReference } from "./common.ts";
import { secretName } from "./secret.ts";

/** Where the server sends requests of its own: it has no user and no password in it, which would be shown. */
const callbackUrl = z
  .string()
  .max(2048)
  .refine(isCallbackUrl, {
    error: "expected a URL such as https://example.org/ended, without user, password and fragment",
  })
  .openapi({
    description: "Where it is posted",
    format: "uri",
    example: "https://example.org/ended",
  });

/** A URL that is told of the end of an event, and the secret that what is sent there is signed with. */
export const callback = z
  .strictObject({
    url: callbackUrl,
    secret: secretName.openapi({ description: "Name of the secret that signs what is sent" }),
  })
  .openapi("Callback", {
    example: { url: "https://example.org/ended", secret: "callback-key" },
  });

/** Who is told of the end of an event. */
export const destination = z
  .union([z.strictObject({ function: functionReference }), callback], {
    error: `expected {"function": "name"} or {"url": "https://…", "secret": "name of a secret"}`,
  })
  .openapi("Destination", { example: { function: "notify:live" } });

function isCallbackUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || !["https:", "http:"].includes(url.protocol)) return false;
  return url.username === "" && url.password === "" && url.hash === "";
}

export type Callback = z.infer<typeof callback>;
export type Destination = z.infer<typeof destination>;
