import { z } from "zod";
import type { SandboxView } from "../schema/sandbox.ts";
import { sandboxId } from "./ids.ts";
import { addTool, type Toolbox, type ToolAnswer } from "./tool.ts";

const open = z.strictObject({
  image: z.string().max(63).optional().describe("Name of an image; the default one otherwise"),
  timeoutMs: z
    .number()
    .int()
    .min(1000)
    .max(86_400_000)
    .default(600_000)
    .describe("How long it stays open at most, in milliseconds; then it is deleted"),
  memoryMiB: z.number().int().min(64).max(65_536).default(512).describe("Memory for all inside"),
  env: z
    .record(z.string(), z.string())
    .default({})
    .describe("Environment variables of everything that runs in it"),
  allowHosts: z
    .array(z.string().max(300))
    .max(256)
    .optional()
    .describe("Hosts that it may connect to, such as pypi.org:443 or *.npmjs.org; none otherwise"),
});

/** Sandboxes as a whole. */
export function addSandboxTools(toolbox: Toolbox): void {
  const { client } = toolbox;
  addTool(toolbox, {
    name: "open_sandbox",
    description:
      "Open a sandbox: a container of its own that keeps its files and processes between calls until it is closed, or until its timeout (10 minutes unless another is given). Python 3, Node.js and the usual tools of the image are there; the home directory /home/runlet may be written to. There is no network unless allowHosts is given.",
    input: open,
    hints: { destructiveHint: false },
    run: async ({ memoryMiB, allowHosts, image, ...spec }) => {
      const sandbox = await client.createSandbox({
        ...spec,
        memoryBytes: memoryMiB * 1024 * 1024,
        ...(image !== undefined && { image }),
        ...(allowHosts !== undefined && { network: { allow: allowHosts } }),
      });
      return sandboxAnswer(sandbox);
    },
  });
  addTool(toolbox, {
    name: "list_sandboxes",
    description: "List the sandboxes that are open, the newest first, at most 50.",
    input: z.strictObject({}),
    hints: { readOnlyHint: true },
    run: async () => {
      const pages = await Promise.all(
        (["running", "paused"] as const).map(
          async (state) => await client.listSandboxes({ state, limit: 50 }),
        ),
      );
      const sandboxes = pages.flatMap(({ items }) => items).map(factsOf);
      const lines = sandboxes.map((each) => `${each.sandboxId} ${each.state} until ${each.until}`);
      return { text: lines.join("\n") || "No sandbox is open.", data: { sandboxes } };
    },
  });
  addTool(toolbox, {
    name: "close_sandbox",
    description: "Close a sandbox: all that runs in it ends, and its files are gone.",
    input: z.strictObject({ sandboxId }),
    hints: { destructiveHint: true, idempotentHint: true },
    run: async ({ sandboxId: id }) => {
      await client.removeSandbox(id);
      return { text: `Closed ${id}.`, data: { sandboxId: id } };
    },
  });
}

function sandboxAnswer(sandbox: SandboxView): ToolAnswer {
  const facts = factsOf(sandbox);
  const { sandboxId: id, cwd, until } = facts;
  return { text: `sandboxId ${id}; working directory ${cwd}; open until ${until}`, data: facts };
}

function factsOf({ id, state, cwd, image, expiresAtUs }: SandboxView) {
  const until = new Date(expiresAtUs / 1000).toISOString();
  return { sandboxId: id, state, cwd, image, until };
}
