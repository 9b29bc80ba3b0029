import { z } from "@hono/zod-openapi";

/** A message of the Model Context Protocol, as far as its envelope goes. */
export const mcpMessage = z
  .looseObject({
    jsonrpc: z.literal("2.0").openapi({ description: "Version of JSON-RPC" }),
  })
  .openapi("McpMessage", {
    description: "A message of JSON-RPC",
    example: { jsonrpc: "2.0", id: 1, method: "tools/list" },
  });
