import { access, constants } from "node:fs/promises";
import { limitNames } from "../container/cgroup/cgroups.ts";
import { cgroupLayout } from "../container/cgroup/layout.ts";
import type { HostCheck } from "./host-check.ts";

/** Looks whether memory, CPU and process limits can be set, by the table of mounts. */
export async function checkCgroups(mountinfo?: string): Promise<HostCheck> {
  const name = "cgroups";
  const { version, hierarchies } = await cgroupLayout(mountinfo);
  const missing: string[] = [];
  const closed: string[] = [];
  for (const limit of limitNames) {
    const home = hierarchies.find(({ controllers }) => controllers.has(limit));
    if (home === undefined) missing.push(limit);
    else if (!(await isWritable(home.directory))) closed.push(limit);
  }
  if (missing.length === 0 && closed.length === 0) {
    return { name, status: "ok", found: `${version}, ${limitNames.join(", ")} writable` };
  }
  const facts = [
    version,
    ...(missing.length > 0 ? [`without ${missing.join(", ")}`] : []),
    ...(closed.length > 0 ? [`${closed.join(", ")} not writable`] : []),
  ];
  return {
    name,
    status: "warning",
    found: facts.join(", "),
    advice:
      "The host does not hold functions to these limits. Run as root; in Docker with " +
      "`--privileged --cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw`",
  };
}

async function isWritable(path: string): Promise<boolean> {
  return await access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}
