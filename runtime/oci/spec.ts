/** The parts of the OCI runtime spec (1.2) that Runlet writes. */
export interface Spec {
  readonly ociVersion: "1.2.0";
  readonly process: ProcessSpec;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname: string;
  readonly mounts: readonly Mount[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: {
    readonly namespaces: readonly { readonly type: string; readonly path?: string }[];
    readonly maskedPaths: readonly string[];
    readonly readonlyPaths: readonly string[];
    readonly cgroupsPath?: string;
  };
}

export interface ProcessSpec {
  readonly terminal: boolean;
  readonly user: { readonly uid: number; readonly gid: number };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Readonly<Record<CapabilitySet, readonly string[]>>;
  readonly noNewPrivileges: boolean;
  readonly rlimits: readonly Rlimit[];
  /** How gladly the kernel kills the sandbox for want of memory, up to 1000. */
  readonly oomScoreAdj: number;
}

export interface Rlimit {
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

export interface Mount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options?: readonly string[];
}

type CapabilitySet = "bounding" | "effective" | "inheritable" | "permitted" | "ambient";

/** A change of a spec; pure, so that changes compose in any number. */
export type SpecOption = (spec: Spec) => Spec;

/** The user that guests run as; an image names it in its /etc/passwd. */
export const guestUser = { uid: 1000, gid: 1000, name: "runlet", home: "/home/runlet" } as const;

/** Where a function's or a snippet's code stands in a container. */
export const taskDirectory = "/var/task";

/**
 * The least that a container gets: not root, no capability, no new privileges, read-only root, bounded /tmp,
 * no network but its own loopback.
 */
export const defaultSpec: Spec = {
  ociVersion: "1.2.0",
  process: {
    terminal: false,
    user: { uid: guestUser.uid, gid: guestUser.gid },
    args: ["true"],
    env: [],
    cwd: "/tmp",
    capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
    noNewPrivileges: true,
    rlimits: [
      { type: "RLIMIT_NOFILE", soft: 1024, hard: 1024 },
      { type: "RLIMIT_CORE", soft: 0, hard: 0 },
    ],
    // The sentry before its children: without one of these the guest hangs, without the sentry it is over.
    oomScoreAdj: 1000,
  },
  root: { path: "rootfs", readonly: true },
  hostname: "runlet",
  mounts: [
    { destination: "/proc", type: "proc", source: "proc" },
    { destination: "/dev", type: "tmpfs", source: "tmpfs" },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid", "noexec"] },
  ],
  annotations: {},
  linux: {
    namespaces: ["pid", "ipc", "uts", "mount", "network"].map((type) => ({ type })),
    maskedPaths: ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
    readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
  },
};

/** Applies options to the default spec, in order. */
export function buildSpec(...options: readonly SpecOption[]): Spec {
  return options.reduce((spec, option) => option(spec), defaultSpec);
}
