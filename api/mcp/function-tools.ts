import { z } from "zod";
import { shown } from "./text.ts";
import { addTool, type Toolbox } from "./tool.ts";

/** Functions that are deployed. */
export function addFunctionTools(toolbox: Toolbox): void {
  const { client } = toolbox;
  addTool(toolbox, {
    name: "list_functions",
    description: "List the functions that are deployed, by name, at most 200.",
    input: z.strictObject({}),
    hints: { readOnlyHint: true },
    run: async () => {
      const { items } = await client.functions({ limit: 200 });
      const functions = items.map(({ name, version, runtime }) => ({ name, version, runtime }));
      const lines = functions.map((each) => `${each.name} version ${each.version} ${each.runtime}`);
      return { text: lines.join("\n") || "No function is deployed.", data: { functions } };
    },
  });
  addTool(toolbox, {
    name: "invoke_function",
    description:
      "Call a deployed function with a JSON event and wait for its answer. At most 30,000 characters of the answer are shown. What it printed last (4 KiB) comes with it.",
    input: z.strictObject({
      name: z.string().min(1).max(200).describe("The function; name:alias or name:number, too"),
      event: z.unknown().optional().describe("The event, any JSON; {} otherwise"),
    }),
    hints: { destructiveHint: true },
    run: async ({ name, event = {} }, signal) => {
      const request = { event: JSON.stringify(event), log: "tail" as const, signal };
      const { status, body, logTail, invocationId } = await client.invoke(name, request);
      const answer = shown(Buffer.from(body).toString());
      const log = Buffer.from(logTail ?? "").toString();
      const lines = [`status ${status}`, answer.text, ...(log === "" ? [] : ["log:", log])];
      return {
        text: lines.join("\n").trimEnd(),
        data: { status, answer: answer.text, isCut: answer.isCut, log, invocationId },
      };
    },
  });
}
