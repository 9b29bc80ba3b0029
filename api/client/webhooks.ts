import type { Event } from "../schema/event.ts";
import type { Webhook, WebhookSpecInput } from "../schema/webhook.ts";
import { quickTimeoutMs } from "./connection.ts";
import { Methods, type Page, type PageAfter } from "./methods.ts";
import { asJson, pathOf } from "./request.ts";

/** What a client does with webhooks. */
export class WebhookMethods extends Methods {
  /** Has a URL told of what happens to sandboxes from now on, or changes that. */
  async putWebhook(name: string, spec: WebhookSpecInput): Promise<Webhook> {
    const options = { ...asJson("PUT", spec), timeoutMs: quickTimeoutMs };
    return await this.connection.ask(pathOf("webhooks", name), options);
  }

  /** A page of webhooks by name. */
  async webhooks(query: PageAfter = {}): Promise<Page<Webhook>> {
    return await this.connection.get(pathOf("webhooks"), query);
  }

  /** One webhook. */
  async webhook(name: string): Promise<Webhook> {
    return await this.connection.get(pathOf("webhooks", name));
  }

  /** Deletes a webhook with what waits to be delivered to it. */
  async removeWebhook(name: string): Promise<void> {
    await this.connection.delete(pathOf("webhooks", name));
  }

  /** A page of what is and was sent to a webhook, newest first. */
  async webhookDeliveries(
    name: string,
    query: { limit?: number | undefined; before?: string | undefined } = {},
  ): Promise<Page<Event>> {
    return await this.connection.get(pathOf("webhooks", name, "deliveries"), query);
  }
}
