import { once } from "node:events";
import type { Sandbox } from "../../api/client/sandbox.ts";
import type { SandboxView } from "../../api/schema/sandbox.ts";
import { poll } from "../../runtime/deadline.ts";
import { type Act, type Acts, type Caller, expect, isChance } from "./act.ts";

const mebibyte = 1024 * 1024;
const small = { memoryBytes: 128 * mebibyte };
const shell = { args: ["bash", "--norc", "-i"] };
const server = "require('net').createServer((socket) => socket.pipe(socket)).listen(8080);";

/** What callers do with sandboxes, each time with one of their own. */
export const sandboxActs: Acts = {
  work: [8, inSandbox(work)],
  terminal: [2, inSandbox(useTerminal)],
  pause: [1, inSandbox(pauseAndResume)],
  context: [1, inSandbox(runCells)],
  tunnel: [1, inSandbox(useTunnel)],
  // One with a network cannot be saved.
  copy: [1, inSandbox(copy, { mayHaveNetwork: false })],
};

/** Opens a sandbox for something; some are left open, where the load wants that. */
function inSandbox(
  act: (caller: Caller, box: Sandbox) => Promise<void>,
  { mayHaveNetwork = true } = {},
): Act {
  return async (caller) => {
    const { client, ledger, leavesOpen, hasNetworks } = caller;
    const network =
      hasNetworks && mayHaveNetwork && isChance(0.2) ? { network: { allow: ["11.22.33.44"] } } : {};
    const box = await client.sandboxes.open({ ...small, ...network });
    ledger.opened.add(box.id);
    let isDone = false;
    try {
      await act(caller, box);
      isDone = true;
    } finally {
      // Where it failed, the failure is to be told and not what came of it.
      if (!isDone) await box.delete().catch(() => undefined);
    }
    if (!leavesOpen || isChance(0.7)) await box.delete();
  };
}

async function work({ ledger, signal }: Caller, box: Sandbox): Promise<void> {
  await box.files.write("a", "some text", { signal });
  const ran = await box.commands.run({ command: "cat a; exit 3" }, signal);
  expect(
    ran.exitCode === 3 && ran.stdout.text === "some text",
    `a command said ${ran.stdout.text}`,
  );
  ledger.commands.set(ran.id, { sandboxId: box.id, exitCode: 3 });
  await box.commands.start({ command: "sleep 600" });
}

async function useTerminal(_: Caller, box: Sandbox): Promise<void> {
  using terminal = await box.terminal.open(shell);
  await terminal.write("exit 4\r");
  for await (const event of terminal) {
    if (event.type === "exit") expect(event.command.exitCode === 4, "a shell did not exit with 4");
  }
}

async function pauseAndResume({ signal }: Caller, box: Sandbox): Promise<void> {
  await box.pause();
  await box.resume();
  await box.commands.run({ command: "true" }, signal);
}

async function runCells({ signal }: Caller, box: Sandbox): Promise<void> {
  const context = await box.contexts.open({ language: "python" });
  const { stdout } = await box.contexts.run(context.id, { code: "print(6 * 7)" }, signal);
  expect(stdout.text === "42\n", `a cell printed ${stdout.text}`);
}

async function useTunnel({ signal }: Caller, box: Sandbox): Promise<void> {
  await box.commands.start({ args: ["node", "-e", server] });
  const connect = async (): Promise<true | undefined> => {
    const socket = await box.ports.connect(8080);
    socket.on("error", () => undefined).write("hello");
    const said = await Promise.race([once(socket, "data"), once(socket, "close")]);
    socket.destroy();
    return String(said[0]) === "hello" ? true : undefined;
  };
  const tried = async (): Promise<true | undefined> => await connect().catch(() => undefined);
  await poll("be answered through a tunnel", tried, {
    timeoutMs: 30_000,
    intervalMs: 100,
    signal,
  });
}

async function copy({ client, ledger, leavesOpen }: Caller, box: Sandbox): Promise<void> {
  await box.files.write("a", "before");
  const forked = await client.forkSandbox(box.id, { count: 1 });
  const { id: snapshot } = await client.createSnapshot(box.id);
  ledger.snapshots.add(snapshot);
  const restored = await client.createSandbox({ snapshot });
  const copies: SandboxView[] = [...forked, restored];
  for (const { id } of copies) ledger.opened.add(id);
  for (const { id } of copies) {
    expect((await client.readText(id, "a")) === "before", "a copy has another file");
    await client.removeSandbox(id);
  }
  if (leavesOpen && isChance(0.1)) return;
  ledger.snapshots.delete(snapshot);
  await client.removeSnapshot(snapshot);
}
