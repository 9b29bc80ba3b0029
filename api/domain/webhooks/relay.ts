import type { NewEvent } from "../../../store/event-row.ts";
import type { SandboxEventRow, SandboxStore } from "../../../store/sandboxes.ts";
import type { WebhookRow, WebhookStore } from "../../../store/webhooks.ts";
import { derivedEventId } from "../events/derived-id.ts";
import type { EventQueue } from "../events/event-queue.ts";
import type { OnError } from "../on-error.ts";
import { sandboxEventOf } from "../sandboxes/events.ts";

export interface WebhookRelayOptions {
  store: WebhookStore;
  sandboxes: SandboxStore;
  queue: EventQueue;
  /** Told when something was queued. */
  onQueued: () => void;
  onError: OnError;
}

/** How many events are queued for one webhook at a time. */
const batch = 100;
/** After which time it is tried again where the record could not be written. */
const retryMs = 1000;

/** What the deliveries of a webhook stand under in the queue, where there are functions otherwise. */
export function deliveredAs(webhook: string): string {
  return `webhook:${webhook}`;
}

/**
 * Queues what has happened to sandboxes for the webhooks that are told of it. Which was queued last is written in
 * the same commit, so that nothing is left out and nothing is queued twice, whenever the server ends.
 */
export class WebhookRelay {
  readonly #options: WebhookRelayOptions;
  readonly #unlisten: () => void;
  #isWoken = false;
  #isClosed = false;
  #running: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: WebhookRelayOptions) {
    this.#options = options;
    this.#unlisten = options.sandboxes.onEvents(() => this.wake());
  }

  /** Says that there may be something to queue. */
  wake(): void {
    if (this.#isClosed) return;
    this.#isWoken = true;
    this.#running ??= this.#run();
  }

  /** Queues what there is and takes nothing more. */
  async close(): Promise<void> {
    this.#unlisten();
    this.wake();
    await this.#running;
    this.#isClosed = true;
    clearTimeout(this.#retry);
  }

  async #run(): Promise<void> {
    let webhook: string | undefined;
    try {
      while (this.#isWoken) {
        this.#isWoken = false;
        // What has written the event goes on first: its commit is not this one's to wait for.
        await Promise.resolve();
        for (const { name } of this.#options.store.list({ limit: 1000 })) {
          webhook = name;
          await this.#relay(name);
        }
        webhook = undefined;
      }
    } catch (error) {
      this.#options.onError(error, { webhook });
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.wake(), retryMs).unref();
    } finally {
      this.#running = undefined;
    }
  }

  async #relay(name: string): Promise<void> {
    const { store, sandboxes, queue, onQueued } = this.#options;
    for (;;) {
      // It may have been changed or removed meanwhile.
      const webhook = store.get(name);
      if (webhook === undefined) return;
      const types = JSON.parse(webhook.types) as string[];
      const rows = sandboxes.events(undefined, webhook.afterSeq, batch);
      const last = rows.at(-1);
      if (last === undefined) return;
      const wanted = rows.filter(({ type }) => types.includes(type));
      const deliveries = wanted.map((row) => deliveryOf(webhook, row));
      await queue.acceptAll(deliveries, () => store.advance(name, last.seq));
      if (wanted.length > 0) onQueued();
    }
  }
}

/** An event as the Standard Webhooks specification would have its body. */
function deliveryOf({ name, url, secret }: WebhookRow, row: SandboxEventRow): NewEvent {
  const event = sandboxEventOf(row);
  const body = {
    type: `sandbox.${event.type}`,
    timestamp: new Date(event.atUs / 1000).toISOString(),
    data: event,
  };
  return {
    id: derivedEventId(event.atUs, "webhook", name, event.seq),
    kind: "deliver",
    functionName: deliveredAs(name),
    qualifier: null,
    contentType: "application/json",
    body: Buffer.from(JSON.stringify(body)),
    source: "sandbox-events",
    traceId: null,
    isSampled: true,
    depth: 0,
    callback: { url, secret },
    acceptedAtUs: event.atUs,
  };
}
