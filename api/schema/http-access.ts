import { z } from "@hono/zod-openapi";

const origin = z.string().refine((text) => text === "*" || URL.parse(text)?.origin === text, {
  error: "expected an origin such as https://example.org, or *",
});

const token = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/, {
  error: "expected a name of HTTP, or *",
});

const tokens = z.array(token).max(100);

/** Who else than pages of the server itself may call a function from a browser, and how. */
const cors = z
  .strictObject({
    origins: z.array(origin).min(1).max(100).openapi({ description: "Origins, or *" }),
    methods: tokens.default(["*"]).openapi({ description: "Methods, or *" }),
    headers: tokens.default(["*"]).openapi({ description: "Request headers, or *" }),
    exposeHeaders: tokens
      .default([])
      .openapi({ description: "Answer headers that pages may read" }),
    maxAgeSeconds: z.number().int().min(0).max(86_400).optional().openapi({
      description: "How long a browser may remember what it was allowed",
    }),
    credentials: z.boolean().default(false).openapi({
      description: "Whether a browser may send cookies and the like",
    }),
  })
  .refine(({ origins, credentials }) => !credentials || !origins.includes("*"), {
    path: ["origins"],
    error: "with credentials, name the origins instead of *",
  });

/** How a function is called at its own URL. */
export const httpAccess = z
  .strictObject({
    public: z.boolean().default(false).openapi({
      description: "Whether anybody who reaches the server may call the function at /f/{name}",
    }),
    cors: cors.optional().openapi({
      description: "Who else than pages of the server itself may call it from a browser",
    }),
  })
  .default({ public: false })
  .openapi({ description: "How it is called at its own URL" });

export type Cors = z.infer<typeof cors>;
