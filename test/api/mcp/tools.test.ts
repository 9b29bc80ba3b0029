import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { poll } from "../../../runtime/deadline.ts";
import { startTestServer, type TestServer } from "../../support/server.ts";

const main = join(import.meta.dirname, "../../../api/cli/main.ts");

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(async () => await server[Symbol.asyncDispose]());

const transports = {
  "streamable HTTP": () => new StreamableHTTPClientTransport(new URL("/mcp", server.url)),
  stdio: () =>
    new StdioClientTransport({
      command: process.execPath,
      args: [main, "mcp", "--url", server.url],
      stderr: "inherit",
    }),
};

for (const [name, transportOf] of Object.entries(transports)) {
  suite(`over ${name}`, () => {
    const client = new Client({ name: "test", version: "1" });
    before(async () => await client.connect(transportOf()));
    after(async () => await client.close());

    const call = async (tool: string, args: object = {}): Promise<CallToolResult> =>
      (await client.callTool({ name: tool, arguments: { ...args } })) as CallToolResult;

    const done = async (tool: string, args: object = {}): Promise<Record<string, unknown>> => {
      const result = await call(tool, args);
      assert.ok(!result.isError, textOf(result));
      return result.structuredContent ?? {};
    };

    test("each tool says what it does and what it takes", async () => {
      assert.match(client.getInstructions() ?? "", /no network unless/);
      const { tools } = await client.listTools();
      assert.deepEqual(tools.map((tool) => tool.name).toSorted(), [...expectedTools].toSorted());
      for (const { name: tool, description = "", inputSchema, annotations } of tools) {
        assert.ok(description.length > 30, tool);
        assert.equal(inputSchema.type, "object");
        assert.equal(annotations?.openWorldHint, false, tool);
      }
    });

    for (const [language, code, stdout] of [
      ["python", "print(6 * 7)", "42\n"],
      ["node", "console.log(6 * 7)", "42\n"],
      ["bash", "echo $((6 * 7)); echo oops >&2", "42\n"],
    ] as const) {
      test(`run_code runs ${language} and tells how it ended`, async () => {
        const result = await call("run_code", { language, code });
        assert.match(textOf(result), /^exit code 0 \(exited\)\nstdout:\n42/);
        assert.equal(result.structuredContent?.["stdout"], stdout);
      });
    }

    test("code that fails is no error of the tool, and code that takes too long says so", async () => {
      const failed = await call("run_code", { language: "bash", code: "exit 3" });
      assert.deepEqual([failed.isError, failed.structuredContent?.["exitCode"]], [undefined, 3]);
      const late = await call("run_code", { language: "bash", code: "sleep 60", timeoutMs: 300 });
      assert.match(textOf(late), /\(timeout after 300 ms\)/);
    });

    test("a flood of output is cut in its middle", async () => {
      const code = "echo begin; head -c 3000000 /dev/zero | tr '\\0' x; echo end";
      const result = await call("run_code", { language: "bash", code });
      assert.match(
        textOf(result),
        /output cut\nstdout:\nbegin\nx+\n\[… \d+ characters left out …\]/,
      );
      assert.ok(textOf(result).length < 31_000);
      assert.equal(result.structuredContent?.["isCut"], true);
    });

    test("a sandbox keeps files and commands between calls until it is closed", async () => {
      const { sandboxId } = await done("open_sandbox", { timeoutMs: 60_000, env: { WHO: "Ada" } });
      const wrote = await done("write_file", { sandboxId, path: "a/b.txt", content: "hello\n" });
      assert.equal(wrote["sizeBytes"], 6);
      const ran = await call("run_command", {
        sandboxId,
        command: "cat a/b.txt; echo $WHO; id -un",
      });
      assert.equal(textOf(ran), "exit code 0 (exited)\nstdout:\nhello\nAda\nrunlet");
      const listed = await done("list_files", { sandboxId, path: "a" });
      assert.match(JSON.stringify(listed["files"]), /"a\/b.txt|b.txt/);
      const read = await done("read_file", { sandboxId, path: "a/b.txt", offset: 2 });
      assert.deepEqual([read["content"], read["nextOffset"]], ["llo\n", undefined]);
      const open = await done("list_sandboxes");
      assert.match(JSON.stringify(open), new RegExp(String(sandboxId)));
      await done("close_sandbox", { sandboxId });
      const gone = await call("run_command", { sandboxId, command: "true" });
      assert.equal(gone.isError, true);
      assert.match(textOf(gone), /\(not_found|\(failed_precondition/);
    });

    test("a large file is read piece by piece", async () => {
      const { sandboxId } = await done("open_sandbox", { timeoutMs: 60_000 });
      const content = "0123456789".repeat(7000);
      await done("write_file", { sandboxId, path: "large", content });
      let whole = "";
      for (let offset: unknown = 0; offset !== undefined;) {
        const { content: piece, nextOffset } = await done("read_file", {
          sandboxId,
          path: "large",
          offset,
        });
        whole += String(piece);
        offset = nextOffset;
      }
      assert.equal(whole, content);
      await done("close_sandbox", { sandboxId });
    });

    test("a command in the background is read, and killed", async () => {
      const { sandboxId } = await done("open_sandbox", { timeoutMs: 60_000 });
      const command = "echo up; sleep 600";
      const { commandId } = await done("run_command", { sandboxId, command, background: true });
      const running = await call("read_command", { sandboxId, commandId });
      assert.equal(textOf(running), "still running\noutput:\nup");
      await done("kill_command", { sandboxId, commandId, signal: "SIGKILL" });
      const ended = await done("read_command", { sandboxId, commandId, waitMs: 10_000 });
      assert.deepEqual([ended["isRunning"], ended["exitCode"]], [false, 137]);
      await done("close_sandbox", { sandboxId });
    });

    test("cells of one context share their state, and show values, images and errors", async () => {
      const { sandboxId } = await done("open_sandbox", { timeoutMs: 60_000 });
      const { contextId } = await done("run_cell", { sandboxId, code: "n = 41" });
      const next = await call("run_cell", { sandboxId, contextId, code: "n + 1" });
      assert.match(textOf(next), /^ok; contextId .*\nresults:\n42$/);
      const png = "display({'image/png': 'iVBORw0KGgo='}, raw=True)";
      const shown = await call("run_cell", { sandboxId, contextId, code: png });
      assert.deepEqual(shown.content[1], {
        type: "image",
        data: "iVBORw0KGgo=",
        mimeType: "image/png",
      });
      const failed = await call("run_cell", { sandboxId, contextId, code: "1 / 0" });
      assert.match(textOf(failed), /^error; .*error:\n.*ZeroDivisionError/s);
      const late = { sandboxId, contextId, code: "while True: pass", timeoutMs: 300 };
      assert.match(textOf(await call("run_cell", late)), /^timeout; /);
      const kept = await call("run_cell", { sandboxId, contextId, code: "n" });
      assert.match(textOf(kept), /results:\n41$/);
      await done("close_sandbox", { sandboxId });
    });

    test("a function is found and called", async () => {
      const source = "export const handler = ({ n }) => { console.log('n is', n); return n + 1; };";
      await server.client.deploy("plus", { runtime: "node", code: { source } });
      assert.match(JSON.stringify(await done("list_functions")), /"name":"plus"/);
      const called = await call("invoke_function", { name: "plus", event: { n: 1 } });
      assert.equal(textOf(called), "status 200\n2\nlog:\nn is 1");
      const missing = await call("invoke_function", { name: "nobody" });
      assert.equal(missing.isError, true);
      assert.match(textOf(missing), /does not exist.*\(not_found\)$/);
    });

    test("what a tool does not take is refused by name", async () => {
      for (const [tool, args, pattern] of [
        ["run_code", { language: "cobol", code: "" }, /language/],
        ["run_code", { language: "bash", code: "true", colour: "red" }, /colour/],
        ["run_command", { sandboxId: "mine", command: "true" }, /sandboxId/],
      ] as const) {
        const refused = await call(tool, args);
        assert.equal(refused.isError, true);
        assert.match(textOf(refused), pattern);
      }
    });

    test("a call that is given up leaves nothing running", async () => {
      const { sandboxId } = await done("open_sandbox", { timeoutMs: 60_000 });
      const given = new AbortController();
      const args = { sandboxId, command: "sleep 600" };
      const called = client.callTool({ name: "run_command", arguments: args }, undefined, {
        signal: given.signal,
      });
      const id = String(sandboxId);
      const states = async (): Promise<string[]> =>
        (await server.client.commands(id)).items.map(({ reason = "runs" }) => reason);
      const see = async (state: string): Promise<void> =>
        void (await poll(
          `see the command: ${state}`,
          async () => ((await states())[0] === state ? true : undefined),
          { timeoutMs: 20_000 },
        ));
      await see("runs");
      given.abort();
      await assert.rejects(called);
      if (name === "streamable HTTP") await client.close();
      await see("signaled");
      await server.client.removeSandbox(id);
    });
  });
}

const expectedTools = [
  "run_code",
  "run_cell",
  "open_sandbox",
  "list_sandboxes",
  "close_sandbox",
  "run_command",
  "read_command",
  "kill_command",
  "read_file",
  "write_file",
  "list_files",
  "list_functions",
  "invoke_function",
];

function textOf({ content }: CallToolResult): string {
  return content.map((each) => (each.type === "text" ? each.text : "")).join("");
}
