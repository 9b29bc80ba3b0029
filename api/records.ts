import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { nowUs } from "../runtime/clock.ts";
import { messageOf } from "../runtime/errors.ts";
import { RecordWriter } from "../store/batch.ts";
import { BuildStore } from "../store/builds.ts";
import { CodeStore } from "../store/code-store.ts";
import { type Database, openDatabase } from "../store/database.ts";
import { RecordedEventQueue } from "../store/event-queue.ts";
import { EventStore } from "../store/events.ts";
import { FunctionStore } from "../store/functions.ts";
import { InvocationStore } from "../store/invocations.ts";
import { lockDataDirectory } from "../store/lock.ts";
import { SandboxStore } from "../store/sandboxes.ts";
import { SnapshotStore } from "../store/snapshots.ts";
import { codeRepository } from "./code-on-disk.ts";
import type { Config } from "./config.ts";
import { hostFailureOf } from "./domain/fault.ts";
import type { CodeRepository } from "./domain/ports.ts";

/** All that is kept in the data directory. */
export interface Records {
  readonly database: Database;
  /** Puts writes on record that others wait for. */
  readonly writer: RecordWriter;
  readonly invocations: InvocationStore;
  readonly functions: FunctionStore;
  readonly builds: BuildStore;
  readonly events: RecordedEventQueue;
  readonly eventStore: EventStore;
  readonly sandboxes: SandboxStore;
  readonly snapshots: SnapshotStore;
  readonly code: CodeRepository;
}

/**
 * Opens the data directory, and clears up what an earlier run left in it; `stack` closes it.
 * @throws DataDirectoryLockedError if another server has it, Error where it cannot be read or written.
 */
export async function openRecords(
  config: Config,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<Records> {
  try {
    return await readRecords(config, log, stack);
  } catch (error) {
    const failure = hostFailureOf(error);
    if (failure === undefined) throw error;
    const fact = `Cannot start with ${config.dataDir}: ${messageOf(error)}`;
    throw new Error(`${fact}. ${failure.message}`, { cause: error });
  }
}

async function readRecords(
  config: Config,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<Records> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  stack.use(lockDataDirectory(config.dataDir));
  const database = stack.use(openDatabase(join(config.dataDir, "runlet.db")));
  const writer = stack.use(new RecordWriter(database));
  const invocations = new InvocationStore(database);
  const lost = invocations.markLost(nowUs());
  if (lost > 0) log.warn({ lost }, "invocations of an earlier run were lost");
  const sandboxes = new SandboxStore(database);
  const lostSandboxes = sandboxes.markLost(nowUs());
  if (lostSandboxes > 0) log.warn({ lost: lostSandboxes }, "sandboxes of an earlier run were lost");
  const snapshots = new SnapshotStore(database);
  const functions = new FunctionStore(database);
  const builds = new BuildStore(database);
  const files = new CodeStore(join(config.dataDir, "code"));
  const pruned = await files.prune(functions.codeDigestsInUse().union(builds.codeDigests()));
  if (pruned > 0) log.info({ pruned }, "removed code that no function refers to");
  const eventStore = new EventStore(database);
  return {
    database,
    writer,
    invocations,
    functions,
    builds,
    events: new RecordedEventQueue(eventStore, writer),
    eventStore,
    sandboxes,
    snapshots,
    code: codeRepository(files),
  };
}
