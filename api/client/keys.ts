import type { CreatedKey, Key, KeyQuery, NewKeyInput } from "../schema/key.ts";
import { quickTimeoutMs } from "./connection.ts";
import { Methods, type Page } from "./methods.ts";
import { asJson, pathOf } from "./request.ts";

/** What a client does with keys. */
export class KeyMethods extends Methods {
  /** Makes a key; nobody is shown it again. */
  async createKey(key: NewKeyInput): Promise<CreatedKey> {
    const request = { ...asJson("POST", key), timeoutMs: quickTimeoutMs };
    return await this.connection.ask(pathOf("keys"), request);
  }

  /** A page of keys from the newest. */
  async keys(query: KeyQuery = {}): Promise<Page<Key>> {
    return await this.connection.get(pathOf("keys"), query);
  }

  /** What a key is good for, and when it was used last. */
  async key(id: string): Promise<Key> {
    return await this.connection.get(pathOf("keys", id));
  }

  /** Has a key be refused from now on. */
  async revokeKey(id: string): Promise<void> {
    await this.connection.delete(pathOf("keys", id));
  }
}
