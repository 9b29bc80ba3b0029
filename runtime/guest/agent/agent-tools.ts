import { readFileSync } from "node:fs";
import { z } from "zod";
import { RunletError } from "../../errors.ts";
import type { Agent } from "./agent.ts";
import type { As } from "./agent-files.ts";
import { piecesUntil } from "./content.ts";
import type { OutputPiece, ProcessView } from "./process-view.ts";

type Tool = "pack" | "unpack" | "watch";

const change = z.discriminatedUnion("type", [
  z.object({
    type: z.enum(["created", "written", "changed", "removed", "moved_from", "moved_to"]),
    path: z.string(),
    isDirectory: z.boolean(),
  }),
  z.object({ type: z.enum(["watching", "overflow", "gone"]) }),
]);

/** What a watch tells: a change of what is below the directory, or of the watch itself. */
export type FileChange = z.infer<typeof change>;

/** What a tool may say of its failure. */
const maxErrorBytes = 4096;
const maxLineBytes = 64 * 1024;
const sources = new Map<Tool, string>();

/**
 * What takes long or needs modules that the agent does without: each is a process of its own, with the rights of
 * whoever asks, whose streams are those of any other.
 */
export class AgentTools {
  readonly #agent: Agent;

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  /** A directory as a tar, as fast as it is taken. @throws what the tool says of a directory that it cannot read. */
  async *pack(path: string, as: As = {}, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const what = `pack ${path}`;
    const view = await this.#start("pack", [path], { ...as, signal });
    try {
      const errors: Buffer[] = [];
      for await (const piece of piecesOf(view, signal)) {
        if (piece.stream === "stderr") keep(errors, piece.body);
        else yield piece.body;
      }
      await assertDone(what, view, errors);
    } finally {
      view.detach();
    }
  }

  /** Makes of a tar what it holds, below a directory; answers how many entries those were. */
  async unpack(
    path: string,
    content: AsyncIterable<Uint8Array>,
    as: As = {},
    signal?: AbortSignal,
  ): Promise<number> {
    const view = await this.#start("unpack", [path], { ...as, signal, stdin: true });
    try {
      const said = collect(view);
      for await (const piece of piecesUntil(content, view.exit)) await view.write(piece, signal);
      view.endInput();
      const { output, errors } = await said;
      await assertDone(`unpack into ${path}`, view, errors);
      return Number(output);
    } finally {
      view.detach();
    }
  }

  /** Tells of changes below a directory until it is gone, or until `signal` says that whoever listens is. */
  async *watch(
    path: string,
    { isRecursive, ...as }: As & { isRecursive: boolean },
    signal?: AbortSignal,
  ): AsyncGenerator<FileChange> {
    const mode = isRecursive ? "recursive" : "flat";
    const view = await this.#start("watch", [path, mode], { ...as, signal });
    try {
      let rest = "";
      const errors: Buffer[] = [];
      for await (const piece of piecesOf(view, signal)) {
        if (piece.stream === "stderr") keep(errors, piece.body);
        else {
          const lines = (rest + piece.body.toString("latin1")).split("\n");
          rest = lines.pop() ?? "";
          if (rest.length > maxLineBytes) throw garbled(path);
          for (const line of lines) yield parsed(path, line);
        }
      }
      await assertDone(`watch ${path}`, view, errors);
    } finally {
      view.detach();
    }
  }

  async #start(
    tool: Tool,
    args: readonly string[],
    { user, stdin = false, signal }: As & { stdin?: boolean; signal?: AbortSignal | undefined },
  ): Promise<ProcessView> {
    const source =
      sources.get(tool) ?? readFileSync(new URL(`tools/${tool}.py`, import.meta.url), "utf8");
    sources.set(tool, source);
    const options = { args: ["python3", "-I", "-B", "-c", source, ...args], stdin, bound: true };
    return await this.#agent.spawn({ ...options, ...(user !== undefined && { user }) }, signal);
  }
}

/** What a tool writes, to its end. @throws the signal's reason. */
async function* piecesOf(
  view: ProcessView,
  signal?: AbortSignal,
): AsyncGenerator<Extract<OutputPiece, { body: Buffer }>> {
  for (;;) {
    const piece = await view.next(signal);
    if (piece === undefined) return;
    if ("body" in piece) yield piece;
  }
}

async function collect(view: ProcessView): Promise<{ output: string; errors: Buffer[] }> {
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  for await (const piece of piecesOf(view)) {
    keep(piece.stream === "stderr" ? errors : output, piece.body);
  }
  return { output: Buffer.concat(output).toString(), errors };
}

function keep(kept: Buffer[], body: Buffer): void {
  const bytes = kept.reduce((sum, each) => sum + each.byteLength, 0);
  if (bytes < maxErrorBytes) kept.push(body.subarray(0, maxErrorBytes - bytes));
}

async function assertDone(
  what: string,
  view: ProcessView,
  errors: readonly Buffer[],
): Promise<void> {
  const { code } = await view.exit;
  if (code === 0) return;
  const lines = Buffer.concat(errors).toString().trim().split("\n");
  const reason = lines.at(-1) || `the tool ended with ${code}`;
  const isMissing = /no such|No such/.test(reason);
  throw new RunletError(
    isMissing ? "not_found" : "failed_precondition",
    `Cannot ${what}: ${reason}`,
  );
}

function parsed(path: string, line: string): FileChange {
  try {
    return change.parse(JSON.parse(line));
  } catch {
    throw garbled(path);
  }
}

function garbled(path: string): RunletError {
  return new RunletError(
    "protocol_violation",
    `Cannot watch ${path}: what the tool said is no change`,
  );
}
