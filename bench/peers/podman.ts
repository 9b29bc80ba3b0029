import { execa } from "execa";
import { Engine } from "./engine.ts";
import type { IsolatorPeer } from "./peer.ts";
import { reasonOf } from "./reason.ts";

/** `podman run --rm` with podman's own runtime. */
export const podman: IsolatorPeer = {
  name: "podman",
  kind: "isolator",
  missing: async (signal) => {
    const result = await execa("podman", ["info"], {
      reject: false,
      timeout: 20_000,
      cancelSignal: signal,
    });
    signal.throwIfAborted();
    return result.exitCode === 0 ? undefined : reasonOf("podman", result);
  },
  open: async (resources) => await Engine.open({ client: "podman" }, resources),
};
