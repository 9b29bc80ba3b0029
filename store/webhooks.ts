import type Sqlite from "better-sqlite3";
import type { Database } from "./database.ts";

/** A URL that is told of what happens to sandboxes. */
export interface WebhookRow {
  readonly name: string;
  readonly url: string;
  /** Name of the secret that signs what is sent. */
  readonly secret: string;
  /** The types of events that it is told of, as a JSON array. */
  readonly types: string;
  /** The number of the last event that was queued for it. */
  readonly afterSeq: number;
  readonly createdAtUs: number;
}

const columns = "name, url, secret, types, after_seq AS afterSeq, created_at_us AS createdAtUs";

/** The webhooks on record. */
export class WebhookStore {
  readonly #put: Sqlite.Statement<[WebhookRow]>;
  readonly #get: Sqlite.Statement<[string], WebhookRow>;
  readonly #list: Sqlite.Statement<[string, number], WebhookRow>;
  readonly #delete: Sqlite.Statement<[string]>;
  readonly #advance: Sqlite.Statement<[number, string, number]>;
  readonly #count: Sqlite.Statement<[], number>;
  readonly #naming: Sqlite.Statement<[string], string>;

  constructor({ connection }: Database) {
    this.#put = connection.prepare(
      `INSERT INTO webhooks (name, url, secret, types, after_seq, created_at_us)
       VALUES (@name, @url, @secret, @types, @afterSeq, @createdAtUs)
       ON CONFLICT (name) DO UPDATE SET url = @url, secret = @secret, types = @types`,
    );
    this.#get = connection.prepare(`SELECT ${columns} FROM webhooks WHERE name = ?`);
    this.#list = connection.prepare(
      `SELECT ${columns} FROM webhooks WHERE name > ? ORDER BY name LIMIT ?`,
    );
    this.#delete = connection.prepare("DELETE FROM webhooks WHERE name = ?");
    this.#advance = connection.prepare(
      "UPDATE webhooks SET after_seq = ? WHERE name = ? AND after_seq < ?",
    );
    this.#count = connection.prepare<[], number>("SELECT count(*) FROM webhooks").pluck();
    this.#naming = connection
      .prepare<[string], string>("SELECT name FROM webhooks WHERE secret = ? ORDER BY name")
      .pluck();
  }

  /** Adds a webhook, or changes the one of that name, which goes on where it was. */
  put(row: WebhookRow): void {
    this.#put.run(row);
  }

  get(name: string): WebhookRow | undefined {
    return this.#get.get(name);
  }

  /** A page by name, those behind the name `after`. */
  list({ limit, after = "" }: { limit: number; after?: string | undefined }): WebhookRow[] {
    return this.#list.all(after, limit);
  }

  delete(name: string): boolean {
    return this.#delete.run(name).changes > 0;
  }

  /** Says that events up to one are queued. */
  advance(name: string, seq: number): void {
    this.#advance.run(seq, name, seq);
  }

  count(): number {
    return this.#count.get() ?? 0;
  }

  /** The webhooks that a secret signs for. */
  namingSecret(secret: string): string[] {
    return this.#naming.all(secret);
  }
}
