import type { Spec } from "../oci/spec.ts";
import type { OwnFlags } from "../runsc/options.ts";

/** The flag for a spec that names a network namespace; none where the container has but its loopback. */
export function networkOf({ linux }: Spec): OwnFlags["network"] {
  const isNamed = linux.namespaces.some(
    ({ type, path }) => type === "network" && path !== undefined,
  );
  return isNamed ? "sandbox" : undefined;
}
