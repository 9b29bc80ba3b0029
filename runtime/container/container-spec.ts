import { guestUser, type Spec, buildSpec, type SpecOption } from "../oci/spec.ts";
import { withEnv, withPids, withProcess, withTask, withTmpfs } from "../oci/spec-options.ts";
import type { Image } from "../image/image.ts";

/** What a container may use. */
export interface ContainerLimits {
  /** Size of /tmp; what it holds counts as memory. */
  readonly tmpBytes: number;
  /** Memory of all that runs inside; past it the container is ended with reason `oom`. */
  readonly memoryBytes: number;
  /** CPU time a time, such as 0.5 for half a core. */
  readonly cpus: number;
  /** Processes and threads; past it a fork inside fails. */
  readonly pids: number;
}

export interface ContainerSpecOptions
  extends Pick<ContainerLimits, "tmpBytes">, Partial<Pick<ContainerLimits, "pids">> {
  image: Image;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Directory of the host to be seen read-only in the task directory; it costs a gofer process. */
  task?: string | undefined;
  /** What else stands in the container. */
  mounts?: readonly SpecOption[];
}

/** The spec of every container that Runlet starts. */
export function containerSpec(options: ContainerSpecOptions): Spec {
  const { image, tmpBytes, pids, task } = options;
  const mounts: SpecOption[] = [withTmpfs("/tmp", tmpBytes), ...(options.mounts ?? [])];
  if (task !== undefined) mounts.push(withTask(task));
  return buildSpec(
    image.root,
    ...mounts,
    withEnv({ ...image.env, HOME: "/tmp", USER: guestUser.name, TMPDIR: "/tmp", ...options.env }),
    withProcess({ args: options.args, cwd: options.cwd ?? "/tmp" }),
    ...(pids === undefined ? [] : [withPids(pids)]),
  );
}
