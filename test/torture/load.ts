import type { Client } from "../../api/client/client.ts";
import { ApiError, ConnectionError } from "../../api/client/errors.ts";

/** What the server has said, which the record has to hold to. */
export interface Ledger {
  /** Invocations that were answered, by id, with the length of the answer or of what was printed. */
  readonly answered: Map<string, { answerBytes?: number; stdout?: string }>;
  /** Events that were accepted. */
  readonly accepted: Set<string>;
  /** Sandboxes that were opened. */
  readonly opened: Set<string>;
  /** Commands that have ended, with their exit codes. */
  readonly commands: Map<string, { sandboxId: string; exitCode: number }>;
  /** What no caller should ever be told. */
  readonly surprises: string[];
}

export function newLedger(): Ledger {
  return {
    answered: new Map(),
    accepted: new Set(),
    opened: new Set(),
    commands: new Map(),
    surprises: [],
  };
}

/** Refusals that want of room explains, or an end of the server. */
const expected: ReadonlySet<string> = new Set(["resource_exhausted", "unavailable", "cancelled"]);

const echo = "export const handler = async (event) => event;";
const counted = `export async function* handler({ pieces }) {
  for (let piece = 0; piece < pieces; piece++) yield "piece ";
}`;

/** Deploys what the load calls. */
export async function prepareLoad(client: Client): Promise<void> {
  const async = { maxAttempts: 10, backoffMs: 100 };
  const node = { runtime: "node", async } as const;
  await client.deploy("fresh", { ...node, code: { source: echo } });
  await client.deploy("warm", { ...node, isolation: "reuse", code: { source: echo } });
  await client.deploy("streams", { ...node, isolation: "reuse", code: { source: counted } });
  await client.deploy("program", { runtime: "command", command: ["cat"], async });
}

/** One thing that a caller does, with what it is told in the ledger. */
type Act = (client: Client, ledger: Ledger, signal: AbortSignal) => Promise<void>;

const acts: readonly Act[] = [
  call("fresh"),
  call("warm"),
  call("warm"),
  call("program"),
  async (client, { answered }, signal) => {
    const event = JSON.stringify({ pieces: 20 });
    const { invocationId, body } = await client.invoke("streams", { event, signal });
    answered.set(invocationId, { answerBytes: body.byteLength });
  },
  async (client, { accepted }, signal) => {
    const names = ["warm", "program", "fresh"];
    const name = names[Math.floor(Math.random() * names.length)] ?? "warm";
    accepted.add((await client.invokeAsync(name, { event: '{"n":1}', signal })).eventId);
  },
  async (client, { answered }, signal) => {
    const source = "echo out; echo err >&2";
    const request = { runtime: "bash" as const, code: { source } };
    const { invocationId, stdout } = await client.execute(request, signal);
    answered.set(invocationId, { stdout });
  },
  async (client, { opened, commands }, signal) => {
    const { id } = await client.createSandbox({ memoryBytes: 128 * 1024 * 1024 });
    opened.add(id);
    await client.writeFile(id, "a", "some text", { signal });
    const ran = await client.runCommand(id, { command: "cat a; exit 3" }, signal);
    commands.set(ran.id, { sandboxId: id, exitCode: ran.exitCode ?? -1 });
    await client.startCommand(id, { command: "sleep 600" });
    // Some are left open, for the server's end to find.
    if (Math.random() < 0.7) await client.removeSandbox(id);
  },
];

function call(name: string): Act {
  return async (client, { answered }, signal) => {
    const event = JSON.stringify({ n: Math.random() });
    const { invocationId, body } = await client.invoke(name, { event, signal });
    answered.set(invocationId, { answerBytes: body.byteLength });
  };
}

/** Does all kinds of things, `callers` at once, until the signal. What the server's end breaks off is no surprise. */
export async function load(
  client: Client,
  ledger: Ledger,
  { callers, signal }: { callers: number; signal: AbortSignal },
): Promise<void> {
  const one = async (): Promise<void> => {
    while (!signal.aborted) {
      const act = acts[Math.floor(Math.random() * acts.length)];
      try {
        await act?.(client, ledger, signal);
      } catch (error) {
        if (signal.aborted || error instanceof ConnectionError) continue;
        if (error instanceof ApiError && expected.has(error.code)) continue;
        ledger.surprises.push(error instanceof Error ? (error.stack ?? error.message) : "thrown");
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, one));
}
