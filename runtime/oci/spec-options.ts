import { type Mount, type ProcessSpec, type Spec, type SpecOption, taskDirectory } from "./spec.ts";

/** Annotation that names the EROFS file of a root. */
export const erofsSource = "dev.gvisor.spec.rootfs.source";

/** The first process: its arguments, and where given its environment, directory and terminal. */
export function withProcess(process: Partial<ProcessSpec>): SpecOption {
  return (spec) => ({ ...spec, process: { ...spec.process, ...process } });
}

/** The environment as a record; a later option of the same kind adds to it. */
export function withEnv(env: Readonly<Record<string, string>>): SpecOption {
  const added = Object.entries(env).map(([name, text]) => `${name}=${text}`);
  return (spec) => {
    const kept = spec.process.env.filter((entry) => !(entry.slice(0, entry.indexOf("=")) in env));
    return withProcess({ env: [...kept, ...added] })(spec);
  };
}

/** A bound on processes and threads, at which a fork inside is refused. */
export function withPids(count: number): SpecOption {
  const limit = { type: "RLIMIT_NPROC", soft: count, hard: count };
  return (spec) => withProcess({ rlimits: [...spec.process.rlimits, limit] })(spec);
}

/** A directory of the host as root file system, served by a gofer. */
export function withRootDirectory(path: string): SpecOption {
  return (spec) => ({ ...spec, root: { path, readonly: true } });
}

/**
 * An EROFS file as root file system. Without any bind mount beside it runsc starts no gofer process.
 * `mountPoint` is an empty directory that the spec must name all the same.
 */
export function withErofsRoot(file: string, mountPoint: string): SpecOption {
  return (spec) => ({
    ...spec,
    root: { path: mountPoint, readonly: true },
    annotations: {
      ...spec.annotations,
      [erofsSource]: file,
      "dev.gvisor.spec.rootfs.type": "erofs",
    },
  });
}

/**
 * Lets a root be written to; what is written stands in a file of `directory` that has no name there, so that
 * nothing of it outlives the container.
 */
export function withWritableRoot(directory: string): SpecOption {
  return (spec) => ({
    ...spec,
    root: { ...spec.root, readonly: false },
    annotations: {
      // Who says one of these has to say them all; those of an EROFS root are there.
      [erofsSource]: spec.root.path,
      "dev.gvisor.spec.rootfs.type": "bind",
      ...spec.annotations,
      "dev.gvisor.spec.rootfs.overlay": `dir=${directory}`,
    },
  });
}

/**
 * What a sandbox's agent needs to act for several users and to be out of their reach: root inside, with the
 * rights over their files and processes and no others. What it starts for a user has none of them.
 */
export function withAgentRights(spec: Spec): Spec {
  const rights = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"];
  const held = rights.map((name) => `CAP_${name}`);
  return withProcess({
    user: { uid: 0, gid: 0 },
    capabilities: {
      bounding: held,
      effective: held,
      inheritable: [],
      permitted: held,
      ambient: [],
    },
  })(spec);
}

/** A tmpfs of at most `sizeBytes`; what it holds counts as the container's memory. */
export function withTmpfs(destination: string, sizeBytes: number, mode = "1777"): SpecOption {
  return withMount({
    destination,
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "nodev", `mode=${mode}`, `size=${sizeBytes}`],
  });
}

/** A file or directory of the host, seen read-only. */
export function withReadOnlyBind(source: string, destination: string): SpecOption {
  return withMount({
    destination,
    type: "bind",
    source,
    options: ["rbind", "ro", "nosuid", "nodev"],
  });
}

/** Code on the host, seen read-only in the task directory. */
export function withTask(codeDirectory: string): SpecOption {
  return withReadOnlyBind(codeDirectory, taskDirectory);
}

/** The network namespace at `path`, whose addresses the container's own stack takes over. */
export function withNetworkNamespace(path: string): SpecOption {
  return (spec) => ({
    ...spec,
    linux: {
      ...spec.linux,
      namespaces: spec.linux.namespaces.map((namespace) =>
        namespace.type === "network" ? { ...namespace, path } : namespace,
      ),
    },
  });
}

/** One more mount, after those that are there. */
export function withMount(mount: Mount): SpecOption {
  return (spec) => ({ ...spec, mounts: [...spec.mounts, mount] });
}

/** Several options as one. */
export function compose(...options: readonly SpecOption[]): SpecOption {
  return (spec: Spec) => options.reduce((changed, option) => option(changed), spec);
}
