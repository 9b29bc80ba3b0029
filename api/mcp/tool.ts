import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import type { CallToolResult, ToolAnnotations } from "@modelcontextprotocol/sdk/types.js";
import type { z } from "zod";
import type { Client } from "../client/client.ts";
import { ApiError, ConnectionError } from "../client/errors.ts";

/** What tools are added to, and what they act with. */
export interface Toolbox {
  readonly server: McpServer;
  readonly client: Client;
  /** Ends whatever a tool waits for, besides its own request. */
  readonly signal: AbortSignal;
}

/** What a tool has to say: to be read, and the same for programs. */
export interface ToolAnswer {
  readonly text: string;
  readonly data: Record<string, unknown>;
  /** Images in base64. */
  readonly images?: readonly { data: string; mimeType: string }[];
}

export interface Tool<Input extends z.ZodObject> {
  readonly name: string;
  /** What it does and within which limits, for who has nothing else to go by. */
  readonly description: string;
  readonly input: Input;
  readonly hints: Pick<ToolAnnotations, "readOnlyHint" | "destructiveHint" | "idempotentHint">;
  readonly run: (input: z.infer<Input>, signal: AbortSignal) => Promise<ToolAnswer>;
}

/** Adds a tool. What the server refuses is the tool's answer, so that whoever called it can do better. */
export function addTool<Input extends z.ZodObject>(toolbox: Toolbox, tool: Tool<Input>): void {
  const { name, description, input, hints } = tool;
  const annotations = { ...hints, openWorldHint: false };
  const config = { description, inputSchema: input as z.ZodObject, annotations };
  toolbox.server.registerTool(name, config, async (given, extra) => {
    const signal = AbortSignal.any([toolbox.signal, extra.signal]);
    try {
      return resultOf(await tool.run(given as z.infer<Input>, signal));
    } catch (error) {
      return failureOf(error);
    }
  });
}

function resultOf({ text, data, images = [] }: ToolAnswer): CallToolResult {
  return {
    content: [
      { type: "text", text },
      ...images.map((image) => ({ type: "image" as const, ...image })),
    ],
    structuredContent: data,
  };
}

/** @throws what is neither a refusal of the server nor its silence. */
function failureOf(error: unknown): CallToolResult {
  if (!(error instanceof ApiError) && !(error instanceof ConnectionError)) throw error;
  const { code, message } = error;
  return {
    isError: true,
    content: [{ type: "text", text: `${message} (${code})` }],
    structuredContent: { code, message },
  };
}
