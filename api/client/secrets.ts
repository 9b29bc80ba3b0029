import type { Secret } from "../schema/secret.ts";
import { Methods, type Page, type PageAfter } from "./methods.ts";
import { asJson, pathOf } from "./request.ts";

/** What a client does with secrets. */
export class SecretMethods extends Methods {
  /** Sets a secret, which nobody reads back. */
  async setSecret(name: string, value: string): Promise<void> {
    await this.connection.send(pathOf("secrets", name), asJson("PUT", { value }));
  }

  /** A page of secrets by name, without their values. */
  async secrets(query: PageAfter = {}): Promise<Page<Secret>> {
    return await this.connection.get(pathOf("secrets"), query);
  }

  /** Deletes a secret that no function names. */
  async removeSecret(name: string): Promise<void> {
    await this.connection.delete(pathOf("secrets", name));
  }
}
