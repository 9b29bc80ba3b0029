import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import packageJson from "../../package.json" with { type: "json" };
import type { Client } from "../client/client.ts";
import { addCodeTools } from "./code-tools.ts";
import { addCommandTools } from "./command-tools.ts";
import { addFileTools } from "./file-tools.ts";
import { addFunctionTools } from "./function-tools.ts";
import { addSandboxTools } from "./sandbox-tools.ts";

const instructions = `Runs code that nobody has to trust, each piece in a gVisor container of its own.
run_code runs a script once and keeps nothing. To keep files, processes and variables between calls, open a sandbox with open_sandbox, use it by its sandboxId, and close it with close_sandbox when it is no longer needed.
There is no network unless a sandbox is opened with allowHosts.`;

/** A server of the Model Context Protocol whose tools act with a client, within what the client's key allows. */
export function createMcpServer(
  client: Client,
  signal: AbortSignal = new AbortController().signal,
): McpServer {
  const about = { name: "runlet", title: "Runlet", version: packageJson.version };
  const server = new McpServer(about, { instructions });
  const toolbox = { server, client, signal };
  addCodeTools(toolbox);
  addSandboxTools(toolbox);
  addCommandTools(toolbox);
  addFileTools(toolbox);
  addFunctionTools(toolbox);
  return server;
}
