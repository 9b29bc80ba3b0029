import type { Image } from "../../runtime/image/image.ts";
import type { PeerName } from "./names.ts";

/** What a peer may use; the directory is its own and is removed after the bench. */
export interface PeerResources {
  readonly directory: string;
  readonly image: () => Promise<Image>;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

/** When something was asked for and when its first answer was there, by `performance.now()`. */
export interface Timed {
  readonly startedAtMs: number;
  readonly answeredAtMs: number;
}

/** A peer that isolates: each call is one container or process, which has ended when the call returns. */
export interface Isolator extends AsyncDisposable {
  /** Starts the function's runner and calls the function once. */
  answer(): Promise<Timed>;
  /** Runs `true`; it is answered when it has ended. */
  program(): Promise<Timed>;
  /** Runs `true` in a container that runs already. */
  inside?(): Promise<Timed>;
  /** Copies a file into a container that runs already, and out of it again, by the engine's own means. */
  copy?(file: string): Promise<{ up: Timed; down: Timed }>;
  /** Has its containers that run already go on until it is disposed of; at other times they take no processor time. */
  awake?(): Promise<AsyncDisposable>;
  /** A runner that has come up and waits; `pid` is the first of its processes. */
  idle?(): Promise<AsyncDisposable & { readonly pid: number }>;
}

/** A peer that answers over HTTP. */
export interface HttpServer extends AsyncDisposable {
  readonly url: string;
}

interface Common {
  readonly name: PeerName;
  /** Why it cannot be measured here, or undefined. */
  readonly missing: (signal: AbortSignal) => Promise<string | undefined>;
}

export interface IsolatorPeer extends Common {
  readonly kind: "isolator";
  readonly open: (resources: PeerResources) => Promise<Isolator>;
}

export interface HttpPeer extends Common {
  readonly kind: "http";
  readonly open: (resources: PeerResources) => Promise<HttpServer>;
}

export type Peer = IsolatorPeer | HttpPeer;

/** The milliseconds between question and answer. */
export function elapsedMs({ startedAtMs, answeredAtMs }: Timed): number {
  return answeredAtMs - startedAtMs;
}
