import type { Command } from "./options.ts";

/**
 * A command that runs runsc where it takes the network namespace of a container for one: the runsc of 2024 takes
 * any for the host's own in which it finds this directory, as it does in all on newer kernels, and refuses to give
 * the container a stack of its own. What is hidden is hidden from this command alone.
 */
export function withOwnStack({ file, args }: Command): Command {
  return {
    file: "unshare",
    args: ["--mount", "--propagation", "slave", "/bin/sh", "-c", hideScript, "sh", file, ...args],
  };
}

const hideScript = 'mount -t tmpfs -o ro,size=4k runlet /proc/sys/net && exec "$@"';
