import assert from "node:assert/strict";
import type { Client } from "../../../api/client/client.ts";
import type { SandboxCommandMethods } from "../../../api/client/sandbox-commands.ts";
import type { SandboxContextMethods } from "../../../api/client/sandbox-contexts.ts";
import type { SandboxFileMethods } from "../../../api/client/sandbox-files.ts";
import type { SandboxPortMethods } from "../../../api/client/sandbox-ports.ts";
import type { SandboxTerminalMethods } from "../../../api/client/sandbox-terminals.ts";
import type { SandboxMethods } from "../../../api/client/sandboxes.ts";
import type { SnapshotMethods } from "../../../api/client/snapshots.ts";
import { problemOf } from "../../support/problem.ts";

type SandboxClient = SandboxMethods &
  SandboxCommandMethods &
  SandboxContextMethods &
  SandboxFileMethods &
  SandboxTerminalMethods &
  SandboxPortMethods &
  SnapshotMethods;

const nobody = "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f";

/** Waits for a call to be refused. */
export async function refused(call: Promise<unknown>): Promise<void> {
  await problemOf(call);
}

/** Each method of a client that is about sandboxes, with all that it can send, in order. */
export function sandboxStory(
  client: Client,
): Record<keyof SandboxClient | "sandboxes", () => unknown> {
  let sandbox = "";
  let inside = "";
  let saved = "";
  let context = "";
  let archive: Uint8Array = new Uint8Array();
  return {
    createSandbox: async () => {
      const all = { metadata: { session: "42" }, env: { A: "b" }, idleTimeoutMs: 60_000 };
      sandbox = (await client.createSandbox({ ...all, cwd: "work", cpus: 0.5 })).id;
      await refused(client.createSandbox({ image: "nothing" }));
      await refused(client.createSandbox({ user: "nobody-here" }));
    },
    listSandboxes: async () => {
      const query = { state: "running", metadata: "session=42", limit: 1 } as const;
      await client.listSandboxes({ ...query, before: "ffffffff-ffff-7fff-bfff-ffffffffffff" });
    },
    sandboxes: async () => {
      const { items } = await client.sandboxes.list({ metadata: "session=42" });
      assert.deepEqual([items[0]?.id, client.sandboxes.of(sandbox).id], [sandbox, sandbox]);
    },
    getSandbox: async () => {
      await client.getSandbox(sandbox);
      await refused(client.getSandbox(nobody));
    },
    changeSandbox: async () => {
      await client.changeSandbox(sandbox, { timeoutMs: 60_000, metadata: {}, idleTimeoutMs: null });
    },
    pauseSandbox: async () => {
      await client.pauseSandbox(sandbox);
      await refused(client.runCommand(sandbox, { command: "true" }));
    },
    resumeSandbox: async () => await client.resumeSandbox(sandbox),
    runCommand: async () => {
      await client.runCommand(sandbox, { command: "cat; exit 3", stdin: "in", timeoutMs: 10_000 });
      await refused(client.runCommand(sandbox, { args: ["nothing"] }));
      await refused(client.runCommand(sandbox, {}));
    },
    streamCommand: async () => {
      const types: string[] = [];
      for await (const { type } of client.streamCommand(sandbox, { command: "echo a" })) {
        types.push(type);
      }
      assert.deepEqual(types, ["started", "output", "exit"]);
    },
    startCommand: async () => {
      const terminal = { cols: 80, rows: 24 };
      const spec = { args: ["cat"], hasStdin: true, terminal, tag: "cat" };
      inside = (await client.startCommand(sandbox, spec)).id;
    },
    commands: async () => {
      const before = (await client.commands(sandbox, { limit: 1 })).next;
      await client.commands(sandbox, { state: "ended", limit: 1, before });
    },
    command: async () => {
      await client.command(sandbox, inside);
      await refused(client.command(sandbox, nobody));
    },
    writeInput: async () => await client.writeInput(sandbox, inside, "line\n"),
    resizeTerminal: async () => {
      await client.resizeTerminal(sandbox, inside, { cols: 100, rows: 30 });
    },
    signalCommand: async () => {
      await client.signalCommand(sandbox, inside, "SIGWINCH");
      await refused(client.signalCommand(sandbox, inside, "SIGNOTHING"));
    },
    closeInput: async () => await client.closeInput(sandbox, inside),
    followCommand: async () => {
      let last: string | undefined;
      for await (const { type } of client.followCommand(sandbox, inside)) last = type;
      assert.equal(last, "exit");
    },
    openContext: async () => {
      const spec = { language: "python", cwd: "/tmp", env: { A: "b" }, user: "runlet" } as const;
      context = (await client.openContext(sandbox, spec)).id;
      await refused(client.openContext(sandbox, { language: "python", cwd: "/nowhere" }));
    },
    contexts: async () => await client.contexts(sandbox),
    runCode: async () => {
      await client.runCode(sandbox, context, { code: "print(1); 2", timeoutMs: 10_000 });
      await client.runCode(sandbox, context, { code: "1 / 0" });
      await refused(client.runCode(sandbox, nobody, { code: "1" }));
    },
    streamCode: async () => {
      const types: string[] = [];
      const code = "print(1); display(2); 3 / 0";
      for await (const { type } of client.streamCode(sandbox, context, { code })) types.push(type);
      assert.deepEqual(types, ["started", "output", "result", "error", "end"]);
    },
    interruptContext: async () => await client.interruptContext(sandbox, context),
    removeContext: async () => {
      await client.removeContext(sandbox, context);
      await refused(client.removeContext(sandbox, context));
    },
    writeFile: async () => {
      const as = { user: "runlet", mode: "600", parents: true };
      await client.writeFile(sandbox, "a/b.txt", "content", as);
      await refused(client.writeFile(sandbox, "/etc/mine", "no"));
    },
    readText: async () => await client.readText(sandbox, "a/b.txt", { user: "runlet" }),
    readFile: async () => {
      await client.readFile(sandbox, "a/b.txt", { range: "bytes=1-2" });
      await refused(client.readFile(sandbox, "nothing"));
    },
    statFile: async () => await client.statFile(sandbox, "a", { user: "runlet" }),
    listFiles: async () => await client.listFiles(sandbox, ".", { user: "runlet", depth: 2 }),
    packDirectory: async () => {
      archive = await new Response(
        await client.packDirectory(sandbox, "a", { user: "runlet" }),
      ).bytes();
      await refused(client.packDirectory(sandbox, "nothing"));
    },
    unpackDirectory: async () => {
      const unpacked = await client.unpackDirectory(sandbox, "copy", archive, { user: "runlet" });
      assert.deepEqual(unpacked, { entries: 1 });
      await refused(client.unpackDirectory(sandbox, "copy", Buffer.alloc(2000, "junk")));
    },
    watchDirectory: async () => {
      const as = { recursive: true, user: "runlet" };
      const types: string[] = [];
      for await (const { type } of client.watchDirectory(sandbox, "copy", as)) {
        if (type === "watching") await client.removeFile(sandbox, "copy", { recursive: true });
        types.push(type);
      }
      assert.equal(types.at(-1), "gone");
    },
    makeDirectory: async () => {
      await client.makeDirectory(sandbox, "c/d", { parents: true, mode: "700", user: "runlet" });
      await refused(client.makeDirectory(sandbox, "c/d"));
    },
    moveFile: async () => {
      await client.moveFile(sandbox, "a/b.txt", "c/b.txt", { overwrite: true, user: "runlet" });
    },
    removeFile: async () => {
      await refused(client.removeFile(sandbox, "c"));
      await client.removeFile(sandbox, "c", { recursive: true, user: "runlet" });
    },
    // The proxy between passes on no upgrade.
    openTerminal: async () => await refused(client.openTerminal(sandbox, { args: ["true"] })),
    attachTerminal: async () => await refused(client.attachTerminal(sandbox, nobody)),
    fetchPort: async () => {
      assert.equal((await client.fetchPort(sandbox, 9999, "/a")).status, 502);
    },
    connectPort: async () => await refused(client.connectPort(sandbox, 9999)),
    sandboxStats: async () => await client.sandboxStats(sandbox),
    sandboxEvents: async () => await client.sandboxEvents(sandbox, { after: 0, limit: 2 }),
    allSandboxEvents: async () => await client.allSandboxEvents({ after: 1, limit: 2 }),
    followSandboxEvents: async () => {
      for await (const { type } of client.followSandboxEvents(sandbox, { after: 0 })) {
        if (type === "created") break;
      }
      for await (const { seq } of client.followSandboxEvents(undefined, { after: 1 })) {
        if (seq > 1) break;
      }
    },
    createSnapshot: async () => {
      const { id } = await client.createSnapshot(sandbox, { name: "one", metadata: { of: "a" } });
      saved = id;
      const limits = { memoryBytes: 256 * 1024 * 1024, cpus: 1, pids: 256 };
      const rest = { metadata: { a: "b" }, onTimeout: "kill", autoResume: true } as const;
      const timeouts = { timeoutMs: 60_000, idleTimeoutMs: 60_000 };
      const opened = await client.createSandbox({ snapshot: id, ...limits, ...rest, ...timeouts });
      await client.removeSandbox(opened.id);
      await refused(client.createSandbox({ snapshot: id, image: "default" }));
      await refused(client.createSnapshot(nobody));
    },
    forkSandbox: async () => {
      const forks = await client.forkSandbox(sandbox, { count: 2, idleTimeoutMs: null });
      await Promise.all(forks.map(async ({ id }) => await client.removeSandbox(id)));
      await refused(client.forkSandbox(nobody));
    },
    snapshots: async () => {
      const query = { sandbox, name: "one", metadata: "of=a", limit: 1 };
      await client.snapshots({ ...query, before: "ffffffff-ffff-7fff-bfff-ffffffffffff" });
    },
    getSnapshot: async () => await client.getSnapshot(saved),
    removeSnapshot: async () => {
      await client.removeSnapshot(saved);
      await refused(client.removeSnapshot(saved));
    },
    removeSandbox: async () => {
      await client.removeSandbox(sandbox);
      await refused(client.removeSandbox(sandbox));
    },
  };
}
