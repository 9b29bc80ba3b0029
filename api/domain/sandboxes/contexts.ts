import type { CellSpec, CodeContext, ContextSpec } from "../../schema/sandbox-context.ts";
import { RunletError } from "../errors.ts";
import type { Page } from "../page.ts";
import type { Cell } from "./cell.ts";
import { Context } from "./context.ts";
import type { Sandboxes } from "./sandboxes.ts";

/** How many a sandbox may have open, each a process with a stream of messages. */
const maxOpen = 8;
/** How many are remembered, those that have ended among them. */
const maxKept = 16;

/** The contexts of the sandboxes that are open; they are gone with their sandbox. */
export class Contexts {
  readonly #sandboxes: Sandboxes;
  readonly #ofSandbox = new Map<string, Map<string, Context>>();
  /** How many are being opened, by sandbox. */
  readonly #pending = new Map<string, number>();

  constructor(sandboxes: Sandboxes) {
    this.#sandboxes = sandboxes;
  }

  /** Opens a context. @throws `resource_exhausted`, and as Context.open. */
  async open(sandboxId: string, spec: ContextSpec, signal: AbortSignal): Promise<CodeContext> {
    const sandbox = this.#sandboxes.find(sandboxId);
    const pending = this.#pending.get(sandboxId) ?? 0;
    const open = [...this.#of(sandboxId).values()].filter(({ isEnded }) => !isEnded);
    if (pending + open.length >= maxOpen) {
      throw new RunletError(
        "resource_exhausted",
        `Cannot open a context in sandbox ${sandboxId}: ${maxOpen} are open, which is all that may be. Delete one`,
      );
    }
    this.#pending.set(sandboxId, pending + 1);
    try {
      const context = await Context.open(sandbox, spec, signal);
      if (!this.#ofSandbox.has(sandboxId)) {
        this.#ofSandbox.set(sandboxId, new Map<string, Context>());
        void sandbox.ended.then(() => this.#ofSandbox.delete(sandboxId));
      }
      this.#of(sandboxId).set(context.id, context);
      this.#forget(this.#of(sandboxId));
      return context.view;
    } finally {
      const left = (this.#pending.get(sandboxId) ?? 1) - 1;
      if (left === 0) this.#pending.delete(sandboxId);
      else this.#pending.set(sandboxId, left);
    }
  }

  /** The contexts of a sandbox, the oldest first. @throws `not_found`. */
  list(sandboxId: string): Page<CodeContext> {
    this.#sandboxes.find(sandboxId);
    return { items: [...this.#of(sandboxId).values()].map(({ view }) => view) };
  }

  /** Ends a context and forgets it. @throws `not_found`. */
  remove(sandboxId: string, id: string): void {
    this.#find(sandboxId, id).end("It was deleted");
    this.#of(sandboxId).delete(id);
  }

  /** Has code run in a context when its turn comes. @throws `not_found`, and as Context.execute. */
  execute(sandboxId: string, id: string, spec: CellSpec): Cell {
    return this.#find(sandboxId, id).execute(spec);
  }

  /** Interrupts what runs in a context. @throws `not_found`. */
  async interrupt(sandboxId: string, id: string): Promise<void> {
    await this.#find(sandboxId, id).interrupt();
  }

  #of(sandboxId: string): Map<string, Context> {
    return this.#ofSandbox.get(sandboxId) ?? new Map<string, Context>();
  }

  #find(sandboxId: string, id: string): Context {
    this.#sandboxes.find(sandboxId);
    const context = this.#of(sandboxId).get(id);
    if (context !== undefined) return context;
    throw new RunletError(
      "not_found",
      `Cannot find context ${id} of sandbox ${sandboxId}: there is none of that id`,
    );
  }

  #forget(kept: Map<string, Context>): void {
    for (const { id, isEnded } of kept.values()) {
      if (kept.size > maxKept && isEnded) kept.delete(id);
    }
  }
}
