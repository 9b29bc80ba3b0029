import type {
  CellEvent,
  CellResult,
  CellSpecInput,
  CodeContext,
  ContextSpecInput,
} from "../schema/sandbox-context.ts";
import { quickTimeoutMs } from "./connection.ts";
import { follow, type FollowOptions } from "./follow.ts";
import { Methods, type Page } from "./methods.ts";
import { asJson, pathOf } from "./request.ts";

/** A kernel may take some time to start. */
const openTimeoutMs = 60_000;

/** What a client does with the contexts of a sandbox. */
export class SandboxContextMethods extends Methods {
  /** Opens a context; it is ready for a cell when this returns. */
  async openContext(sandboxId: string, spec: ContextSpecInput): Promise<CodeContext> {
    const options = { ...asJson("POST", spec), timeoutMs: openTimeoutMs };
    return await this.connection.ask(pathOf("sandboxes", sandboxId, "contexts"), options);
  }

  /** The contexts of a sandbox, the oldest first. */
  async contexts(sandboxId: string): Promise<Page<CodeContext>> {
    return await this.connection.get(pathOf("sandboxes", sandboxId, "contexts"));
  }

  /** Runs a cell and waits until it is over; an abort interrupts it. */
  async runCode(
    sandboxId: string,
    id: string,
    cell: CellSpecInput,
    signal?: AbortSignal,
  ): Promise<CellResult> {
    const path = pathOf("sandboxes", sandboxId, "contexts", id, "execute");
    return await this.connection.ask(path, { ...asJson("POST", cell), signal });
  }

  /** Runs a cell and tells what comes of it as it comes; who stops listening interrupts it. */
  streamCode(
    sandboxId: string,
    id: string,
    cell: CellSpecInput,
    options: FollowOptions = {},
  ): AsyncGenerator<CellEvent> {
    const path = pathOf("sandboxes", sandboxId, "contexts", id, "execute");
    const request = asJson("POST", cell, { accept: "text/event-stream" });
    return follow(this.connection, path, options, request);
  }

  /** Interrupts the cell that runs; what cells have left behind stays. */
  async interruptContext(sandboxId: string, id: string): Promise<void> {
    const path = pathOf("sandboxes", sandboxId, "contexts", id, "interrupt");
    await this.connection.send(path, { method: "POST", timeoutMs: quickTimeoutMs });
  }

  /** Ends a context with what runs in it. */
  async removeContext(sandboxId: string, id: string): Promise<void> {
    await this.connection.delete(pathOf("sandboxes", sandboxId, "contexts", id));
  }
}
