import { once } from "node:events";
import { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../options.ts";

const examples = ["runlet mcp", "RUNLET_API_KEY=… runlet mcp --url http://sandbox-host:7070"];

/** `runlet mcp`. */
export function mcpCommand(): Command {
  return withServer(new Command("mcp"), examples)
    .description("serve the Model Context Protocol on standard input and output, for AI agents")
    .action(async (options: ServerOptions) => {
      // No other command has to wait until the protocol is loaded.
      const [{ StdioServerTransport }, { createMcpServer }] = await Promise.all([
        import("@modelcontextprotocol/sdk/server/stdio.js"),
        import("../../mcp/server.ts"),
      ]);
      const left = new AbortController();
      const server = createMcpServer(clientOf(options), left.signal);
      const ended = once(process.stdin, "close");
      await server.connect(new StdioServerTransport());
      await ended;
      left.abort();
      await server.close();
    });
}
