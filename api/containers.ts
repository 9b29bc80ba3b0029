import { join } from "node:path";
import type { Logger } from "pino";
import { Checkpoints } from "../runtime/container/checkpoints.ts";
import type { Removal } from "../runtime/container/leftovers.ts";
import { ImageStore } from "../runtime/image/image-store.ts";
import { Machine } from "../runtime/machine.ts";
import { AgentStocks } from "../runtime/pool/agent-stocks.ts";
import { Pool } from "../runtime/pool/pool.ts";
import { Scheduler } from "../runtime/pool/scheduler.ts";
import { Starts } from "../runtime/pool/starts.ts";
import type { SnapshotStore } from "../store/snapshots.ts";
import type { Config } from "./config.ts";

/** What containers are made with, and how many may run. */
export interface Containers {
  readonly machine: Machine;
  readonly pool: Pool;
  /** Sandboxes that wait to be opened. */
  readonly stocks: AgentStocks;
  readonly images: ImageStore;
  readonly scheduler: Scheduler;
  /** Where the memory and files of snapshots are. */
  readonly checkpoints: Checkpoints;
}

/** Ends what an earlier run left running, and begins; `stack` ends it. */
export async function openContainers(
  config: Config,
  log: Logger,
  snapshots: SnapshotStore,
  stack: AsyncDisposableStack,
): Promise<Containers> {
  const machine = stack.use(
    await Machine.open({
      stateDir: config.stateDir,
      runsc: config.runsc,
      platform: config.platform,
      network: config.network,
      snapshotTimeoutMs: config.snapshotTimeoutMs,
    }),
  );
  void machine.removal.then((removal) => tellOf(removal, log));
  const limits = machine.missingLimits;
  if (limits.length > 0) log.warn({ limits }, "this host does not enforce these limits");
  const checkpoints = await openCheckpoints(join(config.dataDir, "snapshots"), snapshots, log);
  const starts = new Starts(config.maxStarts);
  const stocks = stack.use(
    await AgentStocks.open({
      machine,
      starts,
      floor: config.sandboxStock,
      ceiling: Math.max(config.sandboxStock, Math.min(config.poolMax, config.maxSandboxes)),
      maxAgeMs: config.poolMaxAgeMs,
      overlayDirectory: join(config.dataDir, "overlays"),
    }),
  );
  const pool = stack.use(
    new Pool({
      machine,
      starts,
      floor: config.poolFloor,
      maxMembers: config.poolMax,
      maxAgeMs: config.poolMaxAgeMs,
      maxRetired: config.maxConcurrency,
    }),
  );
  const images = new ImageStore({ directory: config.imagesDir });
  const scheduler = new Scheduler({
    concurrency: config.maxConcurrency,
    queueLimit: config.queueLimit,
    queueTimeoutMs: config.queueTimeoutMs,
    shareOfPlaces: 0.5,
    // Who waits for an answer finds a slot however many events there are.
    keptForCallers: 1,
  });
  return { machine, pool, stocks, images, scheduler, checkpoints };
}

function tellOf({ containers, problems }: Removal, log: Logger): void {
  if (containers.length > 0) {
    log.warn({ containers: containers.length }, "found containers of an earlier run");
  }
  if (problems.length === 0) return;
  log.error({ problems }, "cannot remove all that an earlier run left; the next start tries again");
}

/** Nothing writes there any more: what is on record and what is on the disk is made the same. */
async function openCheckpoints(
  directory: string,
  snapshots: SnapshotStore,
  log: Logger,
): Promise<Checkpoints> {
  const checkpoints = await Checkpoints.open(directory);
  const { removed, missing } = await checkpoints.sweep(snapshots.ids());
  for (const id of missing) snapshots.markLost(id);
  if (removed.length > 0) log.warn({ removed }, "removed snapshots that an earlier run left half");
  if (missing.length > 0) log.warn({ lost: missing }, "the files of these snapshots are gone");
  return checkpoints;
}
