import { z } from "@hono/zod-openapi";
import { functionName, momentUs, pageOf, revisionId, versionNumber } from "./common.ts";

/** Name of an alias; digits alone would be a version. */
export const aliasName = functionName
  .regex(/\D/, { error: "expected a name that is not only digits: those name a version" })
  .openapi({ description: "Name of an alias", example: "live" });

const target = {
  version: versionNumber.openapi({ description: "Number of the version that calls go to" }),
  second: z
    .strictObject({
      version: versionNumber.openapi({ description: "Number of that version" }),
      weight: z.number().min(0).max(1).openapi({ description: "Its share of the calls" }),
    })
    .optional()
    .openapi({ description: "Another version, which a share of the calls goes to" }),
  description: z.string().max(256).default("").openapi({ description: "What it is for" }),
};

/** Where an alias sends calls. */
export const aliasTarget = z.strictObject(target).openapi("AliasTarget", {
  example: { version: 3, second: { version: 4, weight: 0.1 }, description: "4 on trial" },
});

export const newAlias = z
  .strictObject({ ...target, name: aliasName })
  .openapi("NewAlias", { example: { name: "live", version: 3 } });

const aliasExample = {
  functionName: "hello",
  name: "live",
  version: 3,
  second: { version: 4, weight: 0.1 },
  description: "4 on trial",
  revisionId: "55192cbb-01d7-402e-acdf-e901b834542b",
  createdAtUs: 1769860800000000,
  updatedAtUs: 1769860800000000,
};

export const alias = z
  .object({
    ...target,
    functionName,
    name: aliasName,
    description: z.string().openapi({ description: "What it is for" }),
    revisionId,
    createdAtUs: momentUs,
    updatedAtUs: momentUs,
  })
  .openapi("Alias", { example: aliasExample });

export const aliasPage = pageOf(alias).openapi("AliasPage", { example: { items: [aliasExample] } });

export type Alias = z.infer<typeof alias>;
export type AliasTarget = z.infer<typeof aliasTarget>;
export type AliasTargetInput = z.input<typeof aliasTarget>;
export type NewAliasInput = z.input<typeof newAlias>;
