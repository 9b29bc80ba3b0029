import type { SandboxView } from "../schema/sandbox.ts";
import type {
  ForkSpecInput,
  SnapshotQuery,
  SnapshotSpecInput,
  SnapshotView,
} from "../schema/snapshot.ts";
import { Methods, type Page } from "./methods.ts";
import { asJson, pathOf } from "./request.ts";

/** Memory is written as fast as the disk takes it, and read again. */
const saveTimeoutMs = 180_000;

/** What a client does with what is saved of sandboxes. */
export class SnapshotMethods extends Methods {
  /** Saves a sandbox with memory, processes and files; it goes on. */
  async createSnapshot(sandboxId: string, spec: SnapshotSpecInput = {}): Promise<SnapshotView> {
    const options = { ...asJson("POST", spec), timeoutMs: saveTimeoutMs };
    return await this.connection.ask(pathOf("sandboxes", sandboxId, "snapshots"), options);
  }

  /** Opens running copies of a sandbox, all or none; it goes on. */
  async forkSandbox(id: string, spec: ForkSpecInput = {}): Promise<SandboxView[]> {
    const options = { ...asJson("POST", spec), timeoutMs: saveTimeoutMs };
    const path = pathOf("sandboxes", id, "fork");
    const { items } = await this.connection.ask<{ items: SandboxView[] }>(path, options);
    return items;
  }

  /** A page of snapshots, the newest first. */
  async snapshots(query: SnapshotQuery = {}): Promise<Page<SnapshotView>> {
    return await this.connection.get(pathOf("snapshots"), query);
  }

  /** One snapshot. */
  async getSnapshot(id: string): Promise<SnapshotView> {
    return await this.connection.get(pathOf("snapshots", id));
  }

  /** Deletes a snapshot; sandboxes that went on from it stay. */
  async removeSnapshot(id: string): Promise<void> {
    await this.connection.delete(pathOf("snapshots", id));
  }
}
