import { z } from "@hono/zod-openapi";
import { momentUs, pageOf } from "./common.ts";

/** Name of a secret. */
export const secretName = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/, {
    error: "expected 1 to 128 letters, digits, -, _ and ., the first a letter or a digit",
  })
  .openapi({ description: "Name of a secret", example: "database-url" });

/** What sets a secret. */
export const secretValue = z
  .strictObject({
    value: z
      .string()
      .min(1)
      .max(32_768)
      .regex(/^[^\0]*$/, { error: "expected no NUL character" })
      .openapi({ description: "Never shown again", example: "postgres://user:password@host/db" }),
  })
  .openapi("SecretValue", { example: { value: "postgres://user:password@host/db" } });

/** A secret without its value. */
export const secret = z
  .object({
    name: secretName,
    createdAtUs: momentUs,
    updatedAtUs: momentUs,
  })
  .openapi("Secret");

export const secretPage = pageOf(secret).openapi("SecretPage", {
  example: {
    items: [{ name: "database-url", createdAtUs: 1769860800000000, updatedAtUs: 1769860800000000 }],
  },
});

export type Secret = z.infer<typeof secret>;
