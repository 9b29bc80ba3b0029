import type { SandboxView } from "../../api/schema/sandbox.ts";

/** A program that means harm and is root in a sandbox, and what has to come of it. */
export interface RootProgram {
  /** Also the name of its file among the guests. */
  readonly name: string;
  readonly tries: string;
  /** Why its sandbox is over; it goes on where there is none. */
  readonly ends?: SandboxView["endReason"];
  /** What it saw, where that is no refusal. */
  readonly sees?: Readonly<Record<string, unknown>>;
}

const sixRights = (0b1110_1011).toString(16).padStart(16, "0");

export const rootPrograms: readonly RootProgram[] = [
  { name: "agent-kill", tries: "to kill the agent", ends: "exited" },
  { name: "agent-stop", tries: "to stop the agent, which answers nobody then", ends: "timeout" },
  { name: "agent-output", tries: "to speak in the agent's place", ends: "exited" },
  { name: "agent-input", tries: "to take what the agent is told", ends: "timeout" },
  { name: "agent-memory", tries: "to change the agent's memory", sees: { priority: "done" } },
  { name: "memory-bomb", tries: "to take all memory", ends: "oom" },
  { name: "memory-in-files", tries: "to take it in files", ends: "oom" },
  { name: "disk-filler", tries: "to fill the disk", ends: "disk" },
  { name: "kill-all", tries: "to kill all but itself, the agent too" },
  {
    name: "probes",
    tries: "to learn of the host, and to set it, by /proc, /sys and /dev",
    sees: {
      processes: 3,
      kernel: "#1 SMP Sun Jan 10 15:06:54 PST 2016",
      node: "runlet",
      descriptors: ["0", "1", "2", "3"],
      mounts: ["/", "/dev", "/dev/pts", "/dev/shm", "/proc", "/sys", "/tmp"],
      environment: ["HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "USER"],
      "command lines": "python3",
      // The sandbox's own kernel's, and a new file in a directory of its own.
      "write /proc/sys/net/ipv4/ip_forward": "done",
      "write /dev/kmsg": "done",
    },
  },
  {
    name: "privileges",
    tries: "set-id programs, mounts, namespaces, ptrace, devices, and what only root may",
    sees: {
      ids: [[0, 0, 0], [0, 0, 0], [0]],
      CapInh: "0".repeat(16),
      CapPrm: sixRights,
      CapEff: sixRights,
      CapBnd: sixRights,
      NOFILE: [1024, 1024],
      CORE: [0, 0],
      NPROC: [-1, -1],
      "more descriptors": "ValueError",
      // Root that it is, in what is its own.
      setuid: "done",
      setgid: "done",
      setgroups: "done",
      "chown to root": "done",
      "more processes": "done",
      "users of its own, then a writable root": "done",
      keyctl: "done",
      process_vm_readv: "done",
      "set-id files": [],
      "a set-id file of its own": "0",
    },
  },
  { name: "sockets", tries: "raw sockets and the host's", sees: { name: "no name" } },
];
