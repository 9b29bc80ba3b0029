import PQueue from "p-queue";
import { nowUs } from "../../../runtime/clock.ts";
import type { Checkpoints } from "../../../runtime/container/checkpoints.ts";
import type { Machine } from "../../../runtime/machine.ts";
import { runscRelease } from "../../../runtime/runsc/version.ts";
import type { SnapshotRow, SnapshotStore } from "../../../store/snapshots.ts";
import type { SandboxSpec, SandboxView } from "../../schema/sandbox.ts";
import type { CopySpec, ForkSpec, SnapshotSpec, SnapshotView } from "../../schema/snapshot.ts";
import { isRunletError, RunletError } from "../errors.ts";
import { newInvocationId } from "../invocation-id.ts";
import { withoutNulls } from "../nulls.ts";
import { type Page, pageOf } from "../page.ts";
import { type Copies, copyOf } from "./copies.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Sandboxes } from "./sandboxes.ts";

export interface SnapshotsOptions {
  store: SnapshotStore;
  checkpoints: Checkpoints;
  machine: Machine;
  sandboxes: Sandboxes;
  copies: Copies;
  /** How many may be kept. */
  maxSnapshots: number;
  /** What they may take on the disk together. */
  maxBytes: number;
}

export interface SnapshotListOptions {
  sandboxId?: string | undefined;
  name?: string | undefined;
  metadata?: Readonly<Record<string, string>> | undefined;
  before?: string | undefined;
  limit: number;
}

/** Whoever asks for copies. */
interface Caller {
  keyId?: string | undefined;
  /** Aborted where the caller goes away before the answer. */
  signal?: AbortSignal;
}

/** Greater than any id. */
const afterAll = "g";
/** Each writes as fast as the disk takes it. */
const savesAtOnce = 2;

/** What is kept of sandboxes, with memory and files, and what goes on from it. */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #saves = new PQueue({ concurrency: savesAtOnce });
  readonly #closing = new AbortController();

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /**
   * Saves a sandbox, which stands still meanwhile and goes on.
   * @throws `not_found`, `failed_precondition` where it has what cannot be saved, `resource_exhausted` where
   * there are enough or the disk is full.
   */
  async create(sandboxId: string, spec: SnapshotSpec): Promise<SnapshotView> {
    const { store, checkpoints } = this.#options;
    const sandbox = this.#options.sandboxes.find(sandboxId);
    const id = newInvocationId();
    return await this.#saves.add(async () => {
      this.#requireRoom(1);
      const release = await this.#release();
      try {
        await this.#save(sandbox, id);
        await checkpoints.assertRestorable(id);
        const sizeBytes = await checkpoints.sizeOf(id);
        this.#requireRoom(sizeBytes);
        const row: SnapshotRow = {
          id,
          sandboxId,
          name: spec.name ?? null,
          metadata: JSON.stringify(spec.metadata),
          state: "ready",
          image: sandbox.spec.image,
          spec: JSON.stringify(sandbox.spec),
          runscRelease: release,
          sizeBytes,
          createdAtUs: nowUs(),
        };
        store.add(row);
        return viewOf(row);
      } catch (error) {
        await checkpoints.remove(id);
        throw error;
      }
    });
  }

  /** @throws `not_found`. */
  get(id: string): SnapshotView {
    return viewOf(this.#row(id));
  }

  /** The newest first. */
  list(options: SnapshotListOptions): Page<SnapshotView> {
    const { metadata = {}, before = afterAll, limit } = options;
    const rows = this.#options.store.list({ ...options, metadata, before, limit: limit + 1 });
    return pageOf(rows, limit, { item: viewOf, cursor: ({ id }) => id });
  }

  /** Removes a snapshot; sandboxes that went on from it, or are about to, are not touched. @throws `not_found`. */
  async remove(id: string): Promise<void> {
    this.#row(id);
    this.#options.store.delete(id);
    await this.#options.checkpoints.remove(id);
  }

  /** Those that need an image, ten at the most. */
  needing(image: string): string[] {
    return this.#options.store.ofImage(image, 10);
  }

  /**
   * Opens a sandbox that goes on from a snapshot.
   * @throws `not_found`, `failed_precondition` where it cannot be used here any more, `resource_exhausted`.
   */
  async open(id: string, changes: CopySpec, caller: Caller = {}): Promise<SandboxView> {
    const { checkpoints, copies } = this.#options;
    const row = this.#row(id);
    await using _ = checkpoints.read(id);
    const what = `Cannot open a sandbox from snapshot ${id}`;
    if (row.state === "lost" || !(await checkpoints.isWhole(id))) {
      this.#options.store.markLost(id);
      throw new RunletError("failed_precondition", `${what}: its files are gone. Delete it`);
    }
    const release = await this.#release();
    if (release !== row.runscRelease) {
      throw new RunletError(
        "failed_precondition",
        `${what}: runsc ${row.runscRelease} has saved it, and this is ${release}. Take the same one, or save anew`,
      );
    }
    const original = JSON.parse(row.spec) as SandboxSpec;
    const spec = { ...copyOf(original, changes), snapshot: id, keyId: caller.keyId };
    const views = await copies.open([spec], async () => checkpoints.path(id), caller.signal);
    return views[0] as SandboxView;
  }

  /**
   * Opens running copies of a sandbox, all or none.
   * @throws as {@link create} and {@link open}.
   */
  async fork(
    sandboxId: string,
    { count, ...changes }: ForkSpec,
    { keyId, signal }: Caller = {},
  ): Promise<SandboxView[]> {
    const { sandboxes, checkpoints, copies } = this.#options;
    const sandbox = sandboxes.find(sandboxId);
    const id = newInvocationId();
    const { snapshot: _, ...original } = sandbox.spec;
    const specs = Array.from({ length: count }, () => ({
      ...copyOf(original, changes),
      keyId,
    }));
    try {
      const save = async (): Promise<string> => {
        await this.#saves.add(async () => await this.#save(sandbox, id));
        return checkpoints.path(id);
      };
      return await copies.open(specs, save, signal);
    } finally {
      await checkpoints.remove(id);
    }
  }

  /** Saves no more, and waits until what is being saved is done or given up. */
  async close(): Promise<void> {
    this.#closing.abort(
      new RunletError("unavailable", "Cannot save a sandbox: the server shuts down"),
    );
    await this.#saves.onIdle();
  }

  async #save(sandbox: Sandbox, id: string): Promise<void> {
    const { signal } = this.#closing;
    signal.throwIfAborted();
    using _busy = sandbox.activity.begin();
    try {
      await sandbox.agent.save(this.#options.checkpoints.path(id), signal);
    } catch (error) {
      if (!isRunletError(error, "resource_exhausted")) throw error;
      // The runtime's own words name a place on the host.
      throw new RunletError(
        "resource_exhausted",
        `Cannot save sandbox ${sandbox.id}: the disk is full. It goes on`,
        { cause: error },
      );
    }
  }

  async #release(): Promise<string> {
    return runscRelease(await this.#options.machine.runsc.version());
  }

  #requireRoom(sizeBytes: number): void {
    const { store, maxSnapshots, maxBytes } = this.#options;
    const { count, bytes } = store.total();
    if (count < maxSnapshots && bytes + sizeBytes <= maxBytes) return;
    const fact =
      count < maxSnapshots
        ? `it takes ${sizeBytes} bytes, and the ${count} that there are have ${bytes} of ${maxBytes}`
        : `there are ${count}, which is all that may be`;
    throw new RunletError(
      "resource_exhausted",
      `Cannot keep the snapshot: ${fact}. Delete some that are not needed`,
    );
  }

  #row(id: string): SnapshotRow {
    const row = this.#options.store.get(id);
    if (row !== undefined) return row;
    throw new RunletError("not_found", `Cannot find snapshot ${id}: there is none of that id`);
  }
}

function viewOf({ spec, metadata, ...row }: SnapshotRow): SnapshotView {
  const { memoryBytes } = JSON.parse(spec) as SandboxSpec;
  return {
    ...withoutNulls(row),
    metadata: JSON.parse(metadata) as SnapshotView["metadata"],
    memoryBytes,
  } as SnapshotView;
}
