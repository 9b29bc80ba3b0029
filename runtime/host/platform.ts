import { access, constants } from "node:fs/promises";
import type { HostCheck } from "./host-check.ts";

/** How runsc catches the guest's system calls. */
export type Platform = "systrap" | "kvm" | "ptrace";

/** Says whether `platform` can be used here; `kvmDevice` is the file that kvm needs. */
export async function checkPlatform(
  platform: Platform,
  kvmDevice = "/dev/kvm",
): Promise<HostCheck> {
  const name = "platform";
  if (platform === "systrap") return { name, status: "ok", found: platform };
  if (platform === "ptrace") {
    const advice = "ptrace is several times slower than systrap: use systrap";
    return { name, status: "warning", found: platform, advice };
  }
  if (await isUsable(kvmDevice)) return { name, status: "ok", found: platform };
  const found = `kvm, but ${kvmDevice} cannot be opened`;
  const advice = "Use systrap, which needs no device, or give this user the device";
  return { name, status: "error", found, advice };
}

async function isUsable(device: string): Promise<boolean> {
  return await access(device, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}
