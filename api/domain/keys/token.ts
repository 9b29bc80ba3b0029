import { hash, randomBytes } from "node:crypto";

/** A key as it is handed out: its id, which is no secret, and what proves that one has it. */
export interface Token {
  readonly id: string;
  readonly text: string;
}

/** The prefix is there for scanners that look for secrets where none should be. */
const pattern = /^rlk_([0-9a-f]{20})_[0-9a-f]{64}$/;

/** A new token. Ids of later ones are greater, as far as milliseconds tell. */
export function newToken(): Token {
  const time = Date.now().toString(16).padStart(12, "0");
  const id = `${time}${randomBytes(4).toString("hex")}`;
  return { id, text: `rlk_${id}_${randomBytes(32).toString("hex")}` };
}

/** The id in a text that has the form of a token. */
export function idOfToken(text: string): string | undefined {
  return pattern.exec(text)?.[1];
}

/** Tells whether a text has in it what may be a token: nobody but the server itself is to see one. */
export function hasKey(text: string): boolean {
  return text.includes("rlk_") && /rlk_[0-9a-f]{20}_[0-9a-f]{64}/.test(text);
}

/**
 * What is kept of a token. A slow hash is for what people think up: 256 random bits are found no sooner behind a
 * fast one.
 */
export function hashOfToken(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
