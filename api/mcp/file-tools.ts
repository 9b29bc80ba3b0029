import { z } from "zod";
import { sandboxId } from "./ids.ts";
import { maxShownChars } from "./text.ts";
import { addTool, type Toolbox } from "./tool.ts";

const maxReadBytes = 1024 * 1024;
const maxListed = 500;

const path = z
  .string()
  .min(1)
  .max(4096)
  .describe("Path in the sandbox; a relative one begins at the working directory");

/** Files of a sandbox. */
export function addFileTools(toolbox: Toolbox): void {
  const { client } = toolbox;
  addTool(toolbox, {
    name: "read_file",
    description: `Read a file of a sandbox, or a piece of it. At most ${maxShownChars.toLocaleString("en")} characters of text, or 1 MiB with encoding base64, come with one call; read on with offset.`,
    input: z.strictObject({
      sandboxId,
      path,
      offset: z.number().int().min(0).default(0).describe("Byte to begin at"),
      encoding: z.enum(["utf8", "base64"]).default("utf8").describe("How bytes are to be shown"),
    }),
    hints: { readOnlyHint: true },
    run: async ({ sandboxId: id, path: at, offset, encoding }, signal) => {
      const { sizeBytes } = await client.statFile(id, at);
      const most = encoding === "utf8" ? maxShownChars : maxReadBytes;
      const range = `bytes=${offset}-${offset + most - 1}`;
      const isPast = offset >= sizeBytes;
      const bytes = isPast
        ? Buffer.alloc(0)
        : await bytesOf(await client.readFile(id, at, { range, signal }));
      const end = offset + bytes.byteLength;
      const next = end < sizeBytes ? end : undefined;
      const content = bytes.toString(encoding);
      const note =
        next === undefined ? "" : `\n[${sizeBytes} bytes in all; read on at offset ${next}]`;
      return { text: content + note, data: { content, encoding, sizeBytes, nextOffset: next } };
    },
  });
  addTool(toolbox, {
    name: "write_file",
    description:
      "Write a file of a sandbox, new or in the place of what was there. Missing directories are made.",
    input: z.strictObject({
      sandboxId,
      path,
      content: z.string().max(8_000_000).describe("The whole content"),
      encoding: z.enum(["utf8", "base64"]).default("utf8").describe("How content stands for bytes"),
    }),
    hints: { destructiveHint: true, idempotentHint: true },
    run: async ({ sandboxId: id, path: at, content, encoding }, signal) => {
      const body = Buffer.from(content, encoding);
      const { sizeBytes } = await client.writeFile(id, at, body, { parents: true, signal });
      return { text: `Wrote ${sizeBytes} bytes to ${at}.`, data: { path: at, sizeBytes } };
    },
  });
  addTool(toolbox, {
    name: "list_files",
    description: `List what a directory of a sandbox holds, at most ${maxListed} entries.`,
    input: z.strictObject({
      sandboxId,
      path: path.default("."),
      depth: z.number().int().min(1).max(16).default(1).describe("How many levels deep"),
    }),
    hints: { readOnlyHint: true },
    run: async ({ sandboxId: id, path: at, depth }) => {
      const { entries, isTruncated } = await client.listFiles(id, at, { depth });
      const files = entries.slice(0, maxListed).map(({ path: found, kind, sizeBytes }) => ({
        path: found.toWellFormed(),
        kind,
        sizeBytes,
      }));
      const isCut = isTruncated || files.length < entries.length;
      const lines = files.map((file) => `${file.kind} ${file.sizeBytes} ${file.path}`);
      const note = isCut ? [`[cut: there are more than ${maxListed}]`] : [];
      const text = [...lines, ...note].join("\n") || "The directory is empty.";
      return { text, data: { files, isCut } };
    },
  });
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  return Buffer.from(await new Response(stream).arrayBuffer());
}
