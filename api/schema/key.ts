import { z } from "@hono/zod-openapi";
import { momentUs, pageLimit, pageOf } from "./common.ts";
import { rateLimit } from "./rate-limit.ts";

export const keyId = z
  .string()
  .regex(/^[0-9a-f]{20}$/, { error: "expected 20 hexadecimal digits" })
  .openapi({
    description: "Id of a key, which is also a part of it",
    example: "019a3c1e6f2b4d5e6f70",
  });

const scope = z.enum(["invoke", "deploy", "sandbox", "metrics", "admin"]).openapi("Scope", {
  description:
    "What a key is good for: invoke calls functions and follows what came of it, deploy changes functions and all that belongs to them, sandbox runs code in sandboxes, metrics reads /metrics, and admin is good for everything, keys included",
});

const settings = {
  name: z
    .string()
    .regex(/^[a-zA-Z0-9][\w .@/-]{0,63}$/, {
      error: "expected 1 to 64 letters, digits, spaces and ._@/-, the first a letter or a digit",
    })
    .openapi({
      description: "Who or what it is for; several keys may have the same",
      example: "ci",
    }),
  scopes: z
    .array(scope)
    .min(1)
    .max(scope.options.length)
    .openapi({ description: "What it is good for" }),
};

/** How much one key may have and ask, beside what goes for all. */
const keyLimits = z
  .strictObject({
    maxSandboxes: z.number().int().min(0).max(1_000_000).optional().openapi({
      description: "How many sandboxes that it opened may be open at once",
    }),
    maxSandboxMemoryBytes: z
      .number()
      .int()
      .min(0)
      .max(2 ** 50)
      .optional()
      .openapi({
        description: "Memory that these may be allowed together",
      }),
    requestRate: rateLimit.optional().openapi({ description: "How often it may ask anything" }),
  })
  .openapi("KeyLimits", {
    description: "How much it may have and ask, beside what goes for all",
    example: { maxSandboxes: 3 },
  });

/** What a key is made with. */
export const newKey = z
  .strictObject({
    ...settings,
    expiresInMs: z
      .number()
      .int()
      .min(1000)
      .max(3_650 * 86_400_000)
      .optional()
      .openapi({ description: "After what time it is good for nothing; without it, never" }),
    limits: keyLimits.default({}),
  })
  .openapi("NewKey", {
    example: { name: "ci", scopes: ["deploy"], expiresInMs: 90 * 86_400_000 },
  });

const example = {
  id: "019a3c1e6f2b4d5e6f70",
  name: "ci",
  scopes: ["deploy" as const],
  limits: {},
  createdAtUs: 1_769_860_800_000_000,
  expiresAtUs: 1_777_636_800_000_000,
};

const fields = {
  id: keyId,
  ...settings,
  limits: keyLimits,
  createdAtUs: momentUs,
  expiresAtUs: momentUs.optional().openapi({ description: "From when on it is good for nothing" }),
  revokedAtUs: momentUs.optional().openapi({ description: "When it was revoked" }),
  lastUsedAtUs: momentUs
    .optional()
    .openapi({ description: "When it was used last, to the minute" }),
};

/** A key without what proves that one has it. */
export const key = z.object(fields).openapi("Key", { example });

/** A new key with all of it: nobody is shown that again. */
export const createdKey = z
  .object({
    ...fields,
    key: z.string().openapi({
      description: "The key itself, for `Authorization: Bearer`; it is not shown again",
      format: "password",
    }),
  })
  .openapi("CreatedKey", {
    example: { ...example, key: `rlk_${example.id}_${"0123456789abcdef".repeat(4)}` },
  });

export const keyPage = pageOf(key).openapi("KeyPage", { example: { items: [example] } });

export const keyFilter = z.object({
  before: keyId
    .optional()
    .openapi({ description: "Those older than this one: the `next` of a page" }),
  limit: pageLimit,
});

export type Scope = z.infer<typeof scope>;
export type KeyLimits = z.infer<typeof keyLimits>;
export type Key = z.infer<typeof key>;
export type CreatedKey = z.infer<typeof createdKey>;
export type NewKey = z.infer<typeof newKey>;
export type NewKeyInput = z.input<typeof newKey>;
export type KeyQuery = z.input<typeof keyFilter>;
