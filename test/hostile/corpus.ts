import type { ExecuteRequestInput, ExecuteResult } from "../../api/schema/execute.ts";
import { defaultFrameLimits, encodeFrame } from "../../runtime/guest/frame.ts";

const mebibyte = 1024 * 1024;

/** A program that means harm, and what has to come of it. */
export interface Program {
  /** Also the name of its file among the guests. */
  name: string;
  tries: string;
  limits?: Partial<ExecuteRequestInput>;
  ends: readonly ExecuteResult["exitReason"][];
  /** What it saw, where that is no refusal; all else that it tells of has to be the name of an error. */
  sees?: Readonly<Record<string, unknown>>;
  stdout?: RegExp;
}

const bomb = /^bomb$/m;

export const programs: readonly Program[] = [
  {
    name: "fork-bomb",
    tries: "to start processes and threads without end",
    limits: { memoryBytes: 512 * mebibyte, pids: 32 },
    ends: ["exited"],
    sees: { forks: { below: 32 }, threads: { below: 33 }, thread: "RuntimeError" },
  },
  {
    name: "endless-fork-bomb",
    tries: "to fork in each fork",
    // On a busy machine it takes seconds until there is a first fork.
    limits: { timeoutMs: 8_000 },
    ends: ["timeout", "oom"],
    stdout: bomb,
  },
  { name: "memory-bomb", tries: "to take all memory", ends: ["oom"], stdout: bomb },
  { name: "memory-in-files", tries: "to take it in files", ends: ["oom"], stdout: bomb },
  {
    name: "inode-filler",
    tries: "to make directories without end",
    ends: ["oom"],
    stdout: bomb,
  },
  { name: "disk-filler", tries: "to fill all that can be written", ends: ["exited"], sees: {} },
  {
    name: "output-flood",
    tries: "to write without end to both streams",
    limits: { timeoutMs: 3_000 },
    ends: ["timeout"],
    stdout: /^flood$/m,
  },
  {
    name: "slow-drip",
    tries: "to keep whoever waits by a digit now and then, deaf to signals",
    limits: { timeoutMs: 3_000 },
    ends: ["timeout"],
    stdout: /^0123/,
  },
  {
    name: "deaf",
    tries: "to go on past its timeout in sessions of its own",
    limits: { timeoutMs: 3_000 },
    ends: ["timeout"],
    stdout: /^deaf$/m,
  },
  {
    name: "left-behind",
    tries: "to leave processes that outlive it",
    ends: ["exited"],
    stdout: /^left$/m,
  },
  {
    name: "probes",
    tries: "to learn of the host, and to set it, by /proc, /sys and /dev",
    ends: ["exited"],
    sees: {
      processes: 1,
      kernel: "#1 SMP Sun Jan 10 15:06:54 PST 2016",
      node: "runlet",
      // The last is the one by which they are listed.
      descriptors: ["0", "1", "2", "3"],
      mounts: ["/", "/dev", "/dev/pts", "/proc", "/sys", "/tmp", "/var/task"],
      environment: ["HOME", "LANG", "OLDPWD", "PATH", "PWD", "TMPDIR", "TRACEPARENT", "USER"],
      "command lines": "python3",
    },
  },
  {
    name: "sockets",
    tries: "raw sockets, the host's loopback and addresses, and the cloud's metadata",
    ends: ["exited"],
    sees: { name: "no name" },
  },
  {
    name: "privileges",
    tries: "set-id programs, mounts, namespaces, ptrace, devices, and what only root may",
    ends: ["exited"],
    sees: {
      ids: [[1000, 1000, 1000], [1000, 1000, 1000], []],
      ...Object.fromEntries(
        ["CapInh", "CapPrm", "CapEff", "CapBnd"].map((name) => [name, "0".repeat(16)]),
      ),
      NOFILE: [1024, 1024],
      CORE: [0, 0],
      NPROC: [48, 48],
      "more descriptors": "ValueError",
      "more processes": "ValueError",
      // These two are the sandbox's own kernel's, and of the guest itself.
      keyctl: "done",
      process_vm_readv: "done",
      "set-id files": [],
      "a set-id file of its own": "1000",
    },
  },
  {
    name: "kill-all",
    tries: "kill -1, and groups of others",
    ends: ["exited"],
    sees: { "kill -1": "done", "its child": -9 },
  },
  {
    name: "suicide",
    tries: "to kill PID 1",
    ends: ["signaled"],
    stdout: /^last words$/m,
  },
];

/** A function that turns on its runner. */
export interface Handler {
  tries: string;
  runtime: "node" | "python" | "command" | "provided";
  /** What it does unless it is asked to be good. */
  body: string;
  /** The codes that its caller may be told. */
  ends: RegExp;
}

const forged = Buffer.concat(
  encodeFrame(
    { type: "result", id: "another", contentType: "application/json" },
    Buffer.from('"forged"'),
    defaultFrameLimits,
  ),
).toString("base64");
const failed = /^(function_error|protocol_violation|function_timeout)$/;

export const handlers: readonly Handler[] = [
  {
    tries: "to write garbage to descriptor 3",
    runtime: "node",
    body: 'fs.writeSync(3, "garbage garbage garbage garbage");',
    ends: /^protocol_violation$/,
  },
  {
    tries: "to say that 4 GB follow",
    runtime: "node",
    body: "fs.writeSync(3, Buffer.alloc(64, 255));",
    ends: /^protocol_violation$/,
  },
  {
    tries: "to answer for another invocation",
    runtime: "node",
    body: `fs.writeSync(3, Buffer.from("${forged}", "base64"));`,
    ends: /^protocol_violation$/,
  },
  {
    tries: "to close descriptor 3",
    runtime: "node",
    body: "fs.closeSync(3);",
    ends: failed,
  },
  {
    tries: "to replace what its runner is made of",
    runtime: "node",
    body: `const evil = () => { throw new Error("evil"); };
      JSON.parse = JSON.stringify = Buffer.from = Buffer.concat = process.exit = setImmediate = evil;
      Promise.prototype.then = evil;
      Array.prototype.push = evil;`,
    ends: failed,
  },
  {
    tries: "to kill its own process",
    runtime: "node",
    body: 'process.kill(1, "SIGKILL");',
    ends: /^function_error$/,
  },
  {
    tries: "to start processes without end",
    runtime: "node",
    body: `const { spawn } = process.getBuiltinModule("node:child_process");
      for (;;) spawn("sleep", ["600"]).on("error", () => undefined);`,
    ends: failed,
  },
  {
    tries: "to fork in each fork",
    runtime: "command",
    body: "f() { f | f & }; f 2> /dev/null; sleep 600",
    ends: /^function_(?:error|timeout)$/,
  },
  {
    tries: "to kill what serves it",
    runtime: "provided",
    body: "os.kill(1, signal.SIGKILL)",
    ends: failed,
  },
  {
    tries: "to speak for what serves it",
    runtime: "provided",
    body: 'os.write(os.open("/proc/1/fd/3", os.O_WRONLY), b"garbage " * 100)',
    ends: failed,
  },
  {
    tries: "to answer for another invocation",
    runtime: "provided",
    body: 'respond("00000000-0000-7000-8000-000000000000", b"forged"); time.sleep(600)',
    ends: failed,
  },
  {
    tries: "to wipe its runner's memory",
    runtime: "python",
    body: `import gc
    for each in gc.get_objects():
        if type(each).__module__ == "__main__" and hasattr(each, "__dict__"):
            each.__dict__.clear()`,
    ends: failed,
  },
  {
    tries: "to crash its interpreter",
    runtime: "python",
    body: "import ctypes; ctypes.string_at(0)",
    ends: /^function_error$/,
  },
];
