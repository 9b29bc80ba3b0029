import { readFile } from "node:fs/promises";
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { RunletError } from "../domain/errors.ts";
import { createRouter } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";

const page = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Runlet API</title>
    <link rel="stylesheet" href="docs/index.css">
    <link rel="stylesheet" href="docs/swagger-ui.css">
    <link rel="icon" type="image/png" href="docs/favicon-32x32.png">
  </head>
  <body>
    <div id="docs"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
`;

const start = `SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  presets: [SwaggerUIBundle.presets.apis],
});
`;

interface Asset {
  readonly type: string;
  readonly read: () => Promise<Buffer>;
}

const assets: ReadonlyMap<string, Asset> = new Map([
  ["start.js", { type: "text/javascript; charset=utf-8", read: async () => Buffer.from(start) }],
  ["swagger-ui-bundle.js", packaged("swagger-ui-bundle.js", "text/javascript; charset=utf-8")],
  ["swagger-ui.css", packaged("swagger-ui.css", "text/css; charset=utf-8")],
  ["index.css", packaged("index.css", "text/css; charset=utf-8")],
  ["favicon-32x32.png", packaged("favicon-32x32.png", "image/png")],
]);

function packaged(file: string, type: string): Asset {
  const url = new URL(file, import.meta.resolve("swagger-ui-dist/package.json"));
  return { type, read: async () => await readFile(url) };
}

/** Nothing from elsewhere, and no script or style inside of the page. */
const headers = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
};

const show = createRoute({
  method: "get",
  path: "/",
  operationId: "showDocs",
  tags: ["server"],
  summary: "Read this document in a browser",
  responses: {
    200: {
      content: { "text/html": { schema: z.string(), example: "<!doctype html>" } },
      description: "The page",
    },
  },
});

const asset = createRoute({
  method: "get",
  path: "/{file}",
  operationId: "getDocsFile",
  tags: ["server"],
  summary: "A script, a style or an image of the page",
  request: {
    params: z.object({ file: z.string().max(64).openapi({ description: "Name of the file" }) }),
  },
  responses: {
    200: {
      content: { "*/*": { schema: z.unknown(), example: "The bytes of the file" } },
      description: "The file",
    },
    ...problemAnswers("invalid_argument", "not_found"),
  },
});

/** `/docs`: the OpenAPI document as a page that needs nothing but this server. */
export function docsRoutes(): OpenAPIHono {
  return createRouter()
    .openapi(show, (context) => context.html(page, 200, headers))
    .openapi(asset, async (context) => {
      const { file } = context.req.valid("param");
      const found = assets.get(file);
      if (found === undefined) {
        throw new RunletError(
          "not_found",
          `Cannot find ${file}: the page has no such file. Open /docs`,
        );
      }
      const facts = { "content-type": found.type, "cache-control": "max-age=3600" };
      return context.body(new Uint8Array(await found.read()), 200, { ...headers, ...facts });
    });
}
