import { z } from "@hono/zod-openapi";

const name = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$/, {
  error: "expected 1 to 64 letters, digits, - and _, the first a letter or a digit",
});

/** Name of a function: also a path segment, a directory name and a metric label. */
export const functionName = name.openapi({ description: "Name of a function", example: "hello" });

/** A function, with a qualifier behind a colon where there is one. */
export const functionReference = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}(?::[$\w-]{1,64})?$/, {
    error:
      "expected 1 to 64 letters, digits, - and _, the first a letter or a digit, and a qualifier behind a colon, if any",
  })
  .openapi({
    description: "A function, with an alias or a version behind a colon unless it is the latest",
    example: "hello:live",
  });

/** Number of a version of a function. */
export const versionNumber = z.number().int().positive().max(Number.MAX_SAFE_INTEGER).openapi({
  description: "Number of a version",
});

/** Revision of a function, an alias or a schedule; also its ETag. */
export const revisionId = z.string().openapi({ description: "Another one after each change" });

/** Name of a schedule: also a path segment. */
export const scheduleName = name.openapi({ description: "Name of a schedule", example: "nightly" });

export const invocationId = z.uuid().openapi({
  description: "Id of an invocation",
  example: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
});

export const traceId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, { error: "expected 32 hexadecimal digits" })
  .openapi({
    description: "The trace that it belongs to, as in W3C Trace Context",
    example: "4bf92f3577b34da6a3ce929d0e0e4736",
  });

/** A moment in a query, read into milliseconds since the epoch. */
export const moment = z
  .string()
  .transform((text, context) => {
    const atMs = /^\d+$/.test(text) ? Number(text) : isoTime.test(text) ? Date.parse(text) : NaN;
    if (atMs >= 0 && atMs < 2 ** 48) return atMs;
    const message = "expected an ISO 8601 time or milliseconds since the epoch";
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  })
  .openapi({
    type: "string",
    example: "2026-01-31T12:00:00Z",
    description: "ISO 8601 time, or milliseconds since the epoch",
  });

const isoTime = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d|$)/;

export const eventId = z.uuid().openapi({
  description: "Id of an event",
  example: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
});

export const snapshotId = z.uuid().openapi({
  description: "Id of a snapshot",
  example: "019a3c20-1d4e-7f5a-9b6c-7d8e9f0a1b2c",
});

/** A moment in an answer. */
export const momentUs = z.number().int().openapi({ description: "Microseconds since the epoch" });

export const runtimeName = z.enum(["node", "python", "command", "provided"]).openapi("Runtime", {
  description:
    "What executes the code. node and python call a handler, command runs a program, and provided one that speaks the AWS Lambda Runtime API",
});

/** Name of an environment variable. */
export const variableName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: "expected a variable name" });

export const environment = z
  .record(
    variableName,
    z
      .string()
      .max(32_768)
      .regex(/^[^\0]*$/, { error: "expected no NUL character" }),
  )
  .refine((env) => JSON.stringify(env).length <= 65_536, {
    error: "expected at most 64 KiB in all",
  })
  .openapi({ description: "Environment variables" });

/** One page of a list; `next` is the cursor of the page after it, absent on the last one. */
export function pageOf<T extends z.ZodType>(
  items: T,
): z.ZodObject<{ items: z.ZodArray<T>; next: z.ZodOptional<z.ZodString> }> {
  return z.object({
    items: z.array(items).openapi({ description: "What is on this page" }),
    next: z.string().optional().openapi({
      description: "Cursor of the page after this one; absent on the last one",
    }),
  });
}

export const pageLimit = z.coerce.number<number>().int().min(1).max(200).default(50).openapi({
  description: "How many a page has at the most",
});
