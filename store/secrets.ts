import type Sqlite from "better-sqlite3";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { Database } from "./database.ts";

/** What is known of a secret without its value. */
export interface SecretRow {
  readonly name: string;
  readonly createdAtUs: number;
  readonly updatedAtUs: number;
}

const cipher = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

/** Secrets by name. Values are sealed with AES-256-GCM before they reach the file; the key is not in it. */
export class SecretStore {
  readonly #key: Buffer;
  readonly #put: Sqlite.Statement<[object]>;
  readonly #sealed: Sqlite.Statement<[string], Buffer>;
  readonly #list: Sqlite.Statement<[string, number], SecretRow>;
  readonly #delete: Sqlite.Statement<[string]>;

  /** `key` has 32 bytes. */
  constructor({ connection }: Database, key: Buffer) {
    this.#key = key;
    this.#put = connection.prepare(
      `INSERT INTO secrets (name, sealed, created_at_us, updated_at_us)
       VALUES (@name, @sealed, @atUs, @atUs)
       ON CONFLICT (name) DO UPDATE SET
         sealed = excluded.sealed, updated_at_us = excluded.updated_at_us`,
    );
    this.#sealed = connection
      .prepare<[string], Buffer>("SELECT sealed FROM secrets WHERE name = ?")
      .pluck();
    this.#list = connection.prepare(
      `SELECT name, created_at_us AS createdAtUs, updated_at_us AS updatedAtUs
       FROM secrets WHERE name > ? ORDER BY name LIMIT ?`,
    );
    this.#delete = connection.prepare("DELETE FROM secrets WHERE name = ?");
  }

  /** Keeps a value, in the place of an older one. */
  put(name: string, value: string, atUs: number): void {
    this.#put.run({ name, sealed: this.#seal(name, value), atUs });
  }

  /** The value; undefined if there is none. @throws Error if it was sealed with another key. */
  read(name: string): string | undefined {
    const sealed = this.#sealed.get(name);
    return sealed && this.#open(name, sealed);
  }

  /** A page of secrets by name, those behind the name `after`. */
  list({ limit, after = "" }: { limit: number; after?: string | undefined }): SecretRow[] {
    return this.#list.all(after, limit);
  }

  /** False if there is none. */
  delete(name: string): boolean {
    return this.#delete.run(name).changes > 0;
  }

  /** The name is sealed along: a value that was moved to another row does not open there. */
  #seal(name: string, value: string): Buffer {
    const nonce = randomBytes(nonceBytes);
    const sealing = createCipheriv(cipher, this.#key, nonce).setAAD(Buffer.from(name));
    const text = Buffer.concat([sealing.update(value, "utf8"), sealing.final()]);
    return Buffer.concat([nonce, sealing.getAuthTag(), text]);
  }

  #open(name: string, sealed: Buffer): string {
    const nonce = sealed.subarray(0, nonceBytes);
    const tag = sealed.subarray(nonceBytes, nonceBytes + tagBytes);
    const options = { authTagLength: tagBytes };
    try {
      const opening = createDecipheriv(cipher, this.#key, nonce, options)
        .setAAD(Buffer.from(name))
        .setAuthTag(tag);
      const text = sealed.subarray(nonceBytes + tagBytes);
      return Buffer.concat([opening.update(text), opening.final()]).toString("utf8");
    } catch (cause) {
      throw new Error(
        `Cannot open secret ${name}: the key file is not the one it was sealed with`,
        {
          cause,
        },
      );
    }
  }
}
