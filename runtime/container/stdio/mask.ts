/** Shorter values are not masked: they stand in most output by chance. */
export const minMaskedBytes = 4;

/** A beginning of masked values, as far as what was read last agrees with it. */
export interface MaskState {
  /** The bytes that were read last, as many as {@link depth}, are the first of this value. */
  readonly value: Uint8Array;
  readonly depth: number;
  /** The length of the longest value that has just been read to its end; 0 where none has. */
  readonly matchBytes: number;
  /** How many of the bytes that were read last may turn out to begin a value. */
  readonly openBytes: number;
}

/** What a state takes in memory. */
const stateBytes = 96;

/** Values that must not be seen, looked for all at once as Aho and Corasick do: each byte is looked at once. */
export class Mask {
  readonly start: MaskState;
  readonly #root: Node;
  /** Whether a value begins with a byte. */
  readonly #begins = new Uint8Array(256);
  #states = 1;

  private constructor(values: readonly Uint8Array[]) {
    this.#root = new Node(new Uint8Array(), 0);
    this.start = this.#root;
    for (const value of values) this.#add(value);
    this.#link();
  }

  /** A mask for values without the white space around them; undefined where all are too short for one. */
  static of(values: Iterable<string>): Mask | undefined {
    const texts = new Set([...values].map((value) => value.trim()));
    const long = [...texts].map((text) => Buffer.from(text)).filter(isLongEnough);
    return long.length === 0 ? undefined : new Mask(long);
  }

  /** About what it takes in memory. */
  get sizeBytes(): number {
    return this.#states * stateBytes;
  }

  /** The state after one more byte; `from` is one of this mask. */
  next(from: MaskState, byte: number): MaskState {
    if (from === this.#root && this.#begins[byte] === 0) return from;
    let node = from as Node;
    for (;;) {
      const child = node.childOf(byte);
      if (child !== undefined) return child;
      if (node === this.#root) return node;
      node = node.fallback ?? this.#root;
    }
  }

  #add(value: Uint8Array): void {
    let node = this.#root;
    for (const [index, byte] of value.entries()) {
      let child = node.childOf(byte);
      if (child === undefined) {
        child = new Node(value, index + 1);
        child.sibling = node.child;
        node.child = child;
        this.#states++;
      }
      node = child;
    }
    node.matchBytes = value.length;
    this.#begins[value[0] ?? 0] = 1;
  }

  /** Shallow states come first: what a state falls back to is shallower, and known by then. */
  #link(): void {
    const nodes = [this.#root];
    for (const node of nodes) {
      for (let child = node.child; child !== undefined; child = child.sibling) {
        const fallback = node.fallback && (this.next(node.fallback, child.byte) as Node);
        child.fallback = fallback ?? this.#root;
        child.matchBytes ||= child.fallback.matchBytes;
        child.openBytes = child.child === undefined ? child.fallback.openBytes : child.depth;
        nodes.push(child);
      }
    }
  }
}

class Node implements MaskState {
  readonly value: Uint8Array;
  readonly depth: number;
  matchBytes = 0;
  openBytes = 0;
  /** The first of those that are one byte longer; the others are its siblings. */
  child: Node | undefined;
  sibling: Node | undefined;
  /** The longest beginning of a value that this one ends with; none of the first state. */
  fallback: Node | undefined;

  constructor(value: Uint8Array, depth: number) {
    this.value = value;
    this.depth = depth;
  }

  /** The last byte that led here. */
  get byte(): number {
    return this.value[this.depth - 1] ?? 0;
  }

  childOf(byte: number): Node | undefined {
    let child = this.child;
    while (child !== undefined && child.byte !== byte) child = child.sibling;
    return child;
  }
}

function isLongEnough(value: Uint8Array): boolean {
  return value.byteLength >= minMaskedBytes;
}
