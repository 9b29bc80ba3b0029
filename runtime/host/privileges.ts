import { readFile } from "node:fs/promises";
import type { HostCheck } from "./host-check.ts";

/** Capabilities by bit that runsc needs to build a sandbox; a container's root often lacks the first. */
const needed = [
  { bit: 21n, name: "CAP_SYS_ADMIN" },
  { bit: 18n, name: "CAP_SYS_CHROOT" },
  { bit: 7n, name: "CAP_SETUID" },
  { bit: 6n, name: "CAP_SETGID" },
] as const;

/** Looks whether this process may build sandboxes; `status` is the text of /proc/self/status. */
export async function checkPrivileges(status?: string): Promise<HostCheck> {
  const name = "privileges";
  const text = status ?? (await readFile("/proc/self/status", "utf8").catch(() => ""));
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(text)?.[1] ?? "unknown";
  const held = BigInt(`0x${/^CapEff:\s+([0-9a-f]+)/m.exec(text)?.[1] ?? "0"}`);
  const missing = needed.filter(({ bit }) => ((held >> bit) & 1n) === 0n).map((cap) => cap.name);
  if (uid === "0" && missing.length === 0) return { name, status: "ok", found: "root" };
  if (uid === "0") {
    return {
      name,
      status: "error",
      found: `root without ${missing.join(", ")}`,
      advice: "In a Docker container: start it with `--privileged`. Else give the service these",
    };
  }
  return {
    name,
    status: "error",
    found: `user id ${uid}`,
    advice: "runsc makes namespaces and mounts: run as root, for example with `sudo`",
  };
}
