import type {
  SandboxChange,
  SandboxEvent,
  SandboxQuery,
  SandboxSpecInput,
  SandboxStats,
  SandboxView,
} from "../schema/sandbox.ts";
import { quickTimeoutMs } from "./connection.ts";
import { Methods, type Page } from "./methods.ts";
import { asJson, pathOf, withQuery } from "./request.ts";
import { follow, type FollowOptions } from "./follow.ts";

/** A start may have to wait for its turn. */
const createTimeoutMs = 90_000;
const post = { method: "POST", timeoutMs: quickTimeoutMs };

/** What a client does with sandboxes as a whole. */
export class SandboxMethods extends Methods {
  /** Opens a sandbox; it is ready for commands when this returns. */
  async createSandbox(spec: SandboxSpecInput = {}): Promise<SandboxView> {
    const options = { ...asJson("POST", spec), timeoutMs: createTimeoutMs };
    return await this.connection.ask(pathOf("sandboxes"), options);
  }

  /** A page of sandboxes, open and ended, the newest first. */
  async listSandboxes(query: SandboxQuery = {}): Promise<Page<SandboxView>> {
    return await this.connection.get(pathOf("sandboxes"), query);
  }

  /** One sandbox, open or ended. */
  async getSandbox(id: string): Promise<SandboxView> {
    return await this.connection.get(pathOf("sandboxes", id));
  }

  /** Sets the timeouts of a sandbox anew, or its metadata. */
  async changeSandbox(id: string, change: SandboxChange): Promise<SandboxView> {
    const options = { ...asJson("PATCH", change), timeoutMs: quickTimeoutMs };
    return await this.connection.ask(pathOf("sandboxes", id), options);
  }

  /** Ends a sandbox with all that runs inside. */
  async removeSandbox(id: string): Promise<void> {
    await this.connection.delete(pathOf("sandboxes", id));
  }

  /** Stops a sandbox's processor time; all that it holds stays. */
  async pauseSandbox(id: string): Promise<SandboxView> {
    return await this.connection.ask(pathOf("sandboxes", id, "pause"), post);
  }

  /** Lets a paused sandbox go on. */
  async resumeSandbox(id: string): Promise<SandboxView> {
    return await this.connection.ask(pathOf("sandboxes", id, "resume"), post);
  }

  /** What a sandbox uses, now and of late. */
  async sandboxStats(id: string): Promise<SandboxStats> {
    return await this.connection.get(pathOf("sandboxes", id, "stats"));
  }

  /** What has happened to a sandbox, the oldest first. */
  async sandboxEvents(
    id: string,
    query: { after?: number | undefined; limit?: number | undefined } = {},
  ): Promise<Page<SandboxEvent>> {
    return await this.connection.get(pathOf("sandboxes", id, "events"), query);
  }

  /** What has happened to all sandboxes, the oldest first. */
  async allSandboxEvents(
    query: { after?: number | undefined; limit?: number | undefined } = {},
  ): Promise<Page<SandboxEvent>> {
    return await this.connection.get(pathOf("sandbox-events"), query);
  }

  /** Tells what has happened to a sandbox behind an event, and what goes on to happen to its end; or to all of them. */
  followSandboxEvents(
    id: string | undefined,
    { after, ...options }: FollowOptions & { after?: number | undefined } = {},
  ): AsyncGenerator<SandboxEvent> {
    const path = id === undefined ? pathOf("sandbox-events") : pathOf("sandboxes", id, "events");
    const request = { method: "GET", headers: { accept: "text/event-stream" } };
    return follow(this.connection, withQuery(path, { after }), options, request);
  }
}
