import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { Client } from "../client/client.ts";
import type { ClientOptions } from "../client/connection.ts";
import { createMcpServer } from "./server.ts";

const keepAliveMs = 15_000;

/**
 * Answers one request of the protocol's streamable HTTP transport with tools that act as the client that is
 * described. Nothing is kept from one request to the next; a caller that goes away ends what it has asked for.
 */
export async function answerMcp(request: Request, options: ClientOptions): Promise<Response> {
  const { signal } = request;
  const server = createMcpServer(new Client(options), signal);
  // Without a generator of session ids the transport has no sessions.
  const transport = new WebStandardStreamableHTTPServerTransport({ keepAliveMs });
  signal.addEventListener("abort", () => void server.close(), { once: true });
  await server.connect(transport);
  return await transport.handleRequest(request);
}
