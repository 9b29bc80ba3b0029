import type { Logger } from "pino";
import { RunletError } from "../errors.ts";
import type { Spec } from "../oci/spec.ts";
import type { Runsc } from "../runsc/runsc.ts";
import type { Cgroup } from "./cgroup/cgroup.ts";
import type { Deadlines } from "./deadlines.ts";
import type { ContainerId } from "./id.ts";
import type { PipeStock } from "./stdio/pipe-stock.ts";
import type { StdioRequest } from "./stdio/stdio.ts";

/** What a container is made from. */
export interface InitOptions {
  id: ContainerId;
  runsc: Runsc;
  spec: Spec;
  /** The directory that holds the bundles of all containers. */
  bundles: string;
  stdio: StdioRequest;
  pipes: PipeStock;
  /** `attached` for one that lives shortly or needs a channel or a terminal, `detached` for create, start, wait. */
  launch: "attached" | "detached";
  /** Directory of a checkpoint that it goes on from; the spec is then that of the container in it. */
  restoreFrom?: string;
  /** A container in the sandbox of another, which the spec's annotations name. */
  subcontainer?: boolean;
  /** Gives the guest a duplex socket as descriptor 3. */
  channel?: boolean;
  /** Lets the guest connect to the host's sockets in what is mounted for it. */
  hostUds?: "open";
  /** Of this container alone; the container makes and removes it. */
  cgroup?: Cgroup;
  deadlines?: Partial<Deadlines>;
  log?: Pick<Logger, "warn">;
}

/** @throws `invalid_argument` for a combination that runsc has no means for. */
export function checkInitOptions(options: InitOptions): void {
  const isAttached = options.launch === "attached";
  const isRestored = options.restoreFrom !== undefined;
  const hasConsole = options.stdio.kind === "console";
  const conflicts: [boolean, string][] = [
    [options.channel === true && !isAttached, "a channel needs an attached launch"],
    [options.channel === true && hasConsole, "a channel does not go with a console"],
    [hasConsole && !isAttached, "a console needs an attached launch"],
    [options.hostUds !== undefined && !isAttached, "the host's sockets need an attached launch"],
    [
      options.subcontainer === true && options.cgroup !== undefined,
      "a subcontainer is in the cgroup of its sandbox",
    ],
    [options.stdio.kind === "channel" && !isAttached, "a channel needs an attached launch"],
    [options.channel === true && options.stdio.kind === "channel", "it has two channels"],
    [isRestored && !isAttached, "a restore needs an attached launch"],
    [isRestored && hasConsole, "a restored container gets no console"],
    [isRestored && options.channel === true, "a restored container gets its channel on its stdio"],
    [isRestored && options.hostUds !== undefined, "a restored container has no host's sockets"],
    [options.subcontainer === true && isAttached, "a subcontainer needs a detached launch"],
  ];
  const conflict = conflicts.find(([isGiven]) => isGiven);
  if (conflict === undefined) return;
  throw new RunletError(
    "invalid_argument",
    `Cannot make container ${options.id}: ${conflict[1]}. Change the launch or the stdio`,
  );
}
