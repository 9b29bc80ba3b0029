/** Bytes as JSON can carry them. */
export interface EncodedText {
  readonly text: string;
  readonly encoding: "utf8" | "base64";
}

/** Tells whether bytes are UTF-8; with `mayBeCut`, also where their last character is not whole. */
export function isUtf8(bytes: Uint8Array, { mayBeCut = false } = {}): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: mayBeCut });
    return true;
  } catch {
    return false;
  }
}

/** Bytes as text where they are UTF-8, in base64 otherwise. */
export function encodedText(bytes: Uint8Array): EncodedText {
  const encoding = isUtf8(bytes) ? "utf8" : "base64";
  return { text: Buffer.from(bytes).toString(encoding), encoding };
}
