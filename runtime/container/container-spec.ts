import { guestUser, type Spec, buildSpec, type SpecOption } from "../oci/spec.ts";
import { withEnv, withProcess, withTask, withTmpfs } from "../oci/spec-options.ts";
import type { Image } from "../image/image.ts";

export interface ContainerSpecOptions {
  image: Image;
  args: readonly string[];
  /** Size of /tmp; what it holds counts as memory. */
  tmpBytes: number;
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Directory of the host to be seen read-only in the task directory; it costs a gofer process. */
  task?: string | undefined;
}

/** The spec of every container that Runlet starts. */
export function containerSpec(options: ContainerSpecOptions): Spec {
  const { image, tmpBytes, task } = options;
  const mounts: SpecOption[] = [withTmpfs("/tmp", tmpBytes)];
  if (task !== undefined) mounts.push(withTask(task));
  return buildSpec(
    image.root,
    ...mounts,
    withEnv({ ...image.env, HOME: "/tmp", USER: guestUser.name, TMPDIR: "/tmp", ...options.env }),
    withProcess({ args: options.args, cwd: options.cwd ?? "/tmp" }),
  );
}
