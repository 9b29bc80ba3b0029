import { z } from "@hono/zod-openapi";
import { asyncPolicy } from "./async-policy.ts";
import { code } from "./code.ts";
import {
  environment,
  functionName,
  invocationId,
  momentUs,
  pageOf,
  revisionId,
  runtimeName,
  variableName,
  versionNumber,
} from "./common.ts";
import { httpAccess } from "./http-access.ts";
import { limits } from "./limits.ts";
import { rateLimit } from "./rate-limit.ts";
import { functionConcurrency, provisionedCount } from "./concurrency.ts";
import { secretName } from "./secret.ts";

const image = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, { error: "expected an image name" })
  .default("default")
  .openapi({ description: "Image that containers start from" });

const programArguments = z
  .array(
    z
      .string()
      .max(65_536)
      .regex(/^[^\0]*$/, { error: "expected no NUL character" }),
  )
  .min(1)
  .max(1000);

/** A function's configuration: what a version is made of, beside its code. */
export const functionConfig = z.strictObject({
  runtime: runtimeName,
  handler: z
    .string()
    .regex(/^[\w./-]+$/, { error: "expected file.export, such as index.handler" })
    .max(256)
    .optional()
    .openapi({
      description: "What to call, as file.export; found by convention by default",
      example: "index.handler",
    }),
  command: programArguments.optional().openapi({
    description:
      "Program and arguments of a command function: stdin is the event, stdout the answer. Of a provided function, what is started instead of bootstrap",
  }),
  image,
  env: environment.default({}),
  secrets: z
    .record(variableName, secretName)
    .default({})
    .openapi({ description: "Environment variables that hold a secret, each with its name" }),
  isolation: z.enum(["fresh", "reuse"]).default("fresh").openapi({
    description:
      "fresh: each invocation in a container that nobody used before. reuse: containers are kept for the next event of the same version, one at a time",
  }),
  keepAliveMs: z.number().int().min(0).max(86_400_000).default(300_000).openapi({
    description: "How long an idle container is kept with isolation reuse",
  }),
  idleTimeoutMs: z.number().int().min(1).max(900_000).optional().openapi({
    description: "How long a function that streams its answer may write nothing of it",
  }),
  concurrency: z.number().int().min(1).max(10_000).optional().openapi({
    description:
      "How many invocations of this function may run at once; the latest version's counts. PUT /v1/functions/{name}/concurrency reserves room for them",
  }),
  queueLimit: z.number().int().min(0).max(100_000).optional().openapi({
    description:
      "How many invocations of this function may wait for room; one more is refused with 429. No function takes more than half of the places that the server has",
  }),
  rateLimit: rateLimit.optional().openapi({
    description:
      "How often one caller may call this function, by its network address at the function's URL, and all callers together elsewhere; more is refused with 429. The latest version's counts",
  }),
  provisioned: provisionedCount.default(0).openapi({
    description: "How many containers are kept started with this function loaded",
  }),
  http: httpAccess,
  async: asyncPolicy.prefault({}),
  ...limits,
});

/** A deployment: configuration and code. */
export const functionSpec = functionConfig
  .extend({
    code: code.optional(),
    dependencies: z.enum(["install", "install-with-scripts", "as-is"]).default("install").openapi({
      description:
        "What becomes of packages that package.json or requirements.txt names and the code does not bring along: installed, without or with running their own install scripts, or left out",
    }),
  })
  .superRefine((spec, context) => {
    const issue = (path: string, message: string): void =>
      context.addIssue({ code: "custom", path: [path], message });
    for (const variable of Object.keys(spec.secrets)) {
      if (Object.hasOwn(spec.env, variable)) issue("secrets", `${variable} is in env already`);
    }
    if (spec.runtime === "command") {
      if (spec.command === undefined) issue("command", "a command function needs a command");
      if (spec.handler !== undefined) issue("handler", "a command function has no handler");
      if (spec.http.public) issue("http", "a command function takes no HTTP requests");
      if (spec.idleTimeoutMs !== undefined) {
        issue("idleTimeoutMs", "a command function does not stream its answer");
      }
    } else if (spec.runtime === "provided") {
      const isEmpty = spec.code === undefined && spec.command === undefined;
      if (isEmpty) issue("code", "a provided function needs code with a bootstrap, or a command");
    } else {
      if (spec.code === undefined) issue("code", `a ${spec.runtime} function needs code`);
      if (spec.command !== undefined)
        issue("command", "only a command or provided function has a command");
    }
  })
  .openapi("FunctionSpec", {
    example: {
      runtime: "node",
      handler: "index.handler",
      code: { source: "export const handler = async (event) => ({ hello: event.name });" },
      timeoutMs: 10_000,
    },
  });

export const deployCheck = z.enum(["true", "false"]).default("true").openapi({
  description:
    "false: the code counts without having been loaded; if it does not load, the next invocation fails",
});

const versionExample = {
  ...functionConfig.parse({ runtime: "node", handler: "index.handler" }),
  name: "hello",
  version: 3,
  revisionId: "55192cbb-01d7-402e-acdf-e901b834542b",
  codeDigest: "626cf8c1bbab2494d806eba4d6d3afcbaf2a850a9495b0a4e79b5ad6f56fa9d3",
  createdAtUs: 1769860800000000,
};

const version = functionConfig.extend({
  name: functionName,
  version: versionNumber,
  revisionId,
  codeDigest: z.string().optional().openapi({ description: "SHA-256 over the code's files" }),
  createdAtUs: momentUs,
});

export const functionVersion = version.openapi("FunctionVersion", { example: versionExample });

const build = z
  .object({
    invocationId: invocationId.openapi({ description: "The build on record, with its log" }),
    isCached: z.boolean().openapi({ description: "Whether it was made for an earlier deployment" }),
  })
  .openapi("Build");

/** What a deployment is answered with. */
export const deployed = version
  .extend({ build: build.optional().openapi({ description: "Where dependencies were installed" }) })
  .openapi("Deployed", { example: versionExample });

/** A function by its latest version, or the one asked for, and what is set for it beside its versions. */
export const functionDetail = version
  .extend({
    functionConcurrency: functionConcurrency.optional().openapi({
      description: "What is set for the function beside its versions, if anything is",
    }),
  })
  .openapi("FunctionDetail", {
    example: { ...versionExample, functionConcurrency: { reserved: 4 } },
  });

export const functionPage = pageOf(functionVersion).openapi("FunctionPage", {
  example: { items: [versionExample] },
});

export type FunctionConfig = z.infer<typeof functionConfig>;
export type FunctionSpec = z.infer<typeof functionSpec>;
export type FunctionSpecInput = z.input<typeof functionSpec>;
export type Build = z.infer<typeof build>;
export type Deployed = z.infer<typeof deployed>;
export type FunctionDetail = z.infer<typeof functionDetail>;
export type FunctionVersion = z.infer<typeof functionVersion>;
