import { nowUs } from "../../../runtime/clock.ts";
import type { RecordWriter } from "../../../store/batch.ts";
import type { SandboxStore } from "../../../store/sandboxes.ts";
import type { WebhookRow, WebhookStore } from "../../../store/webhooks.ts";
import type { Event } from "../../schema/event.ts";
import type { Webhook, WebhookSpec } from "../../schema/webhook.ts";
import { RunletError } from "../errors.ts";
import type { Callbacks } from "../events/delivery/callbacks.ts";
import type { EventQueue } from "../events/event-queue.ts";
import { eventPage } from "../events/event-view.ts";
import { type Page, pageOf } from "../page.ts";
import { deliveredAs } from "./relay.ts";

export interface WebhooksOptions {
  store: WebhookStore;
  sandboxes: SandboxStore;
  queue: EventQueue;
  writer: RecordWriter;
  callbacks: Callbacks;
}

/** Each event is delivered to each of them. */
const maxWebhooks = 20;

/** URLs that are told of what happens to sandboxes: set, shown, removed. */
export class Webhooks {
  readonly #options: WebhooksOptions;

  constructor(options: WebhooksOptions) {
    this.#options = options;
  }

  /**
   * Makes a webhook, which is told of what happens from now on; or changes the one of that name.
   * @throws `failed_precondition` for a URL that may not be told or a secret that does not exist, `resource_exhausted`.
   */
  put(name: string, { url, secret, events }: WebhookSpec): { webhook: Webhook; created: boolean } {
    const { store, sandboxes, callbacks } = this.#options;
    callbacks.secretOf({ url, secret });
    const created = store.get(name) === undefined;
    if (created && store.count() >= maxWebhooks) {
      throw new RunletError(
        "resource_exhausted",
        `Cannot make webhook ${name}: there are ${maxWebhooks} already, which is all there may be`,
      );
    }
    const types = JSON.stringify([...new Set(events)]);
    const afterSeq = sandboxes.lastSeq();
    store.put({ name, url, secret, types, afterSeq, createdAtUs: nowUs() });
    return { webhook: this.get(name), created };
  }

  /** @throws `not_found`. */
  get(name: string): Webhook {
    const row = this.#options.store.get(name);
    if (row === undefined) throw missing(name);
    return viewOf(row);
  }

  /** A page by name. */
  list({ limit, after }: { limit: number; after?: string | undefined }): Page<Webhook> {
    const rows = this.#options.store.list({ limit: limit + 1, after });
    return pageOf(rows, limit, { item: viewOf, cursor: ({ name }) => name });
  }

  /** Deletes a webhook with what waits to be delivered to it. @throws `not_found`. */
  async remove(name: string): Promise<void> {
    const { store, queue, writer } = this.#options;
    // Behind what is being queued for it, so that this is found below.
    if (!(await writer.write(() => store.delete(name)))) throw missing(name);
    const waiting = { functionName: deliveredAs(name), state: "queued", limit: 100 } as const;
    for (;;) {
      const rows = await queue.list(waiting);
      const cancelled = await Promise.all(rows.map(async ({ id }) => await queue.cancel(id)));
      if (!cancelled.includes(true)) return;
    }
  }

  /** What was sent to a webhook of late, and what is to be, the newest first. @throws `not_found`. */
  async deliveries(
    name: string,
    page: { limit: number; before?: string | undefined },
  ): Promise<Page<Event>> {
    this.get(name);
    return await eventPage(this.#options.queue, { ...page, functionName: deliveredAs(name) });
  }
}

function viewOf({ name, url, secret, types, createdAtUs }: WebhookRow): Webhook {
  return { name, url, secret, events: JSON.parse(types) as Webhook["events"], createdAtUs };
}

function missing(name: string): RunletError {
  return new RunletError("not_found", `Cannot find webhook ${name}: it does not exist`);
}
