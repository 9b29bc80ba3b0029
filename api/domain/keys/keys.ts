import { timingSafeEqual } from "node:crypto";
import { nowUs } from "../../../runtime/clock.ts";
import type { KeyRow, KeyStore } from "../../../store/keys.ts";
import type { CreatedKey, Key, KeyLimits, NewKey, Scope } from "../../schema/key.ts";
import { AccessError, RunletError } from "../errors.ts";
import { withoutNulls } from "../nulls.ts";
import type { OnError } from "../on-error.ts";
import { type Page, pageOf } from "../page.ts";
import { RateLimits } from "../rate-limits.ts";
import { hashOfToken, idOfToken, newToken } from "./token.ts";

/** How exact the time of a key's last use is: with less, each request would cost a write. */
const lastUseStepUs = 60_000_000;

export interface KeysOptions {
  store: KeyStore;
  /** Told of a last use that could not be put on record. */
  onError: OnError;
}

interface Known {
  readonly hash: Buffer;
  key: Key;
}

/**
 * The keys of the API. There are few and only this process changes them, so all are in memory: a request costs one
 * hash, and what is revoked is refused from the next request on.
 */
export class Keys {
  readonly #options: KeysOptions;
  readonly #known: Map<string, Known>;
  readonly #rates = new RateLimits({
    refusal: (id, often) => `Cannot take the request: key ${id} may ask ${often}. Try again later`,
  });

  constructor(options: KeysOptions) {
    this.#options = options;
    const rows = options.store.all();
    this.#known = new Map(rows.map((row) => [row.id, { hash: row.hash, key: keyOf(row) }]));
  }

  /**
   * Makes a key, of which only the hash is kept. `handOver` gets it before it counts, so that there is no key that
   * nobody has.
   */
  create(
    { name, scopes, limits, expiresInMs }: NewKey,
    handOver: (key: string) => void = () => {},
  ): CreatedKey {
    const { id, text } = newToken();
    const createdAtUs = nowUs();
    const row: KeyRow = {
      id,
      hash: hashOfToken(text),
      name,
      scopes: JSON.stringify([...new Set(scopes)]),
      limits: JSON.stringify(limits),
      createdAtUs,
      expiresAtUs: expiresInMs === undefined ? null : createdAtUs + expiresInMs * 1000,
      revokedAtUs: null,
      lastUsedAtUs: null,
    };
    handOver(text);
    this.#options.store.add(row);
    const key = keyOf(row);
    this.#known.set(id, { hash: row.hash, key });
    return { ...key, key: text };
  }

  /** A page with the newest first, those among them that were revoked or have expired. */
  list({ before, limit }: { before?: string | undefined; limit: number }): Page<Key> {
    const keys = [...this.#known.values()]
      .map(({ key }) => key)
      .filter(({ id }) => before === undefined || id < before)
      .sort((a, b) => (a.id < b.id ? 1 : -1));
    return pageOf(keys, limit, { item: (key) => key, cursor: ({ id }) => id });
  }

  /** @throws `not_found`. */
  get(id: string): Key {
    return this.#require(id).key;
  }

  /** Has a key be refused from now on; what it began goes on. @throws `not_found`. */
  revoke(id: string): void {
    const known = this.#require(id);
    const revokedAtUs = known.key.revokedAtUs ?? nowUs();
    this.#options.store.revoke(id, revokedAtUs);
    known.key = { ...known.key, revokedAtUs };
  }

  /** Forgets the keys that were revoked or had expired before a moment. */
  prune(beforeUs: number): void {
    for (const { key } of this.#known.values()) {
      const { id, revokedAtUs = Infinity, expiresAtUs = Infinity } = key;
      if (Math.min(revokedAtUs, expiresAtUs) >= beforeUs) continue;
      this.#options.store.remove(id);
      this.#known.delete(id);
    }
  }

  /** Whether there is a key that is good for `scope` now. */
  has(scope: Scope): boolean {
    const keys = [...this.#known.values()].map(({ key }) => key);
    return keys.some((key) => key.scopes.includes(scope) && whyRefused(key) === undefined);
  }

  /** The limits of a key; none for one that is not known. */
  limitsOf(id: string): KeyLimits {
    return this.#known.get(id)?.key.limits ?? {};
  }

  /**
   * The key that a text proves.
   * @throws AccessError if it is none of this server's or no longer good, RateLimitError if it is used too often.
   */
  use(text: string): Key {
    const known = this.#known.get(idOfToken(text) ?? "");
    if (known === undefined || !timingSafeEqual(known.hash, hashOfToken(text))) {
      throw invalid("the key that it brings is none of this server");
    }
    const { key } = known;
    const refusal = whyRefused(key);
    if (refusal !== undefined) throw invalid(`key ${key.id} ${refusal}`);
    if (key.limits.requestRate !== undefined) this.#rates.take(key.id, "", key.limits.requestRate);
    this.#noteUse(known);
    return key;
  }

  #noteUse(known: Known): void {
    const atUs = nowUs();
    if (Math.abs(atUs - (known.key.lastUsedAtUs ?? 0)) < lastUseStepUs) return;
    known.key = { ...known.key, lastUsedAtUs: atUs };
    try {
      this.#options.store.touch(known.key.id, atUs);
    } catch (error) {
      this.#options.onError(error, { keyId: known.key.id });
    }
  }

  #require(id: string): Known {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    throw new RunletError("not_found", `Cannot find key ${id}: there is none of that id`);
  }
}

function keyOf({ hash: _hash, scopes, limits, ...row }: KeyRow): Key {
  return {
    ...withoutNulls(row),
    scopes: JSON.parse(scopes) as Scope[],
    limits: JSON.parse(limits) as KeyLimits,
  };
}

function whyRefused({ revokedAtUs, expiresAtUs }: Key): string | undefined {
  if (revokedAtUs !== undefined) return "was revoked";
  return expiresAtUs !== undefined && expiresAtUs <= nowUs() ? "has expired" : undefined;
}

function invalid(fact: string): AccessError {
  return new AccessError(
    "unauthenticated",
    `Cannot take the request: ${fact}. Have a new one made with: runlet key create`,
    'error="invalid_token"',
  );
}
