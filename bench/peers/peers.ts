import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../runtime/errors.ts";
import type { Skipped } from "../harness/result.ts";
import { peerCatalogue } from "./catalogue.ts";
import type { PeerName } from "./names.ts";
import type { HttpServer, Isolator, Peer, PeerResources } from "./peer.ts";

/** The peers of one bench that are wanted and are there, opened when they are asked for. */
export class Peers {
  readonly skipped: Skipped[] = [];
  readonly #names: readonly PeerName[];
  readonly #resources: PeerResources;
  readonly #stack: AsyncDisposableStack;

  /** `stack` gets what is opened. */
  constructor(names: readonly PeerName[], resources: PeerResources, stack: AsyncDisposableStack) {
    this.#names = names;
    this.#resources = resources;
    this.#stack = stack;
  }

  async isolators(): Promise<ReadonlyMap<PeerName, Isolator>> {
    const opened = new Map<PeerName, Isolator>();
    for (const name of this.#names) {
      const peer = peerCatalogue[name];
      if (peer.kind !== "isolator") continue;
      const isolator = await this.#open(peer, peer.open);
      if (isolator !== undefined) opened.set(name, isolator);
    }
    return opened;
  }

  async httpServers(): Promise<ReadonlyMap<PeerName, HttpServer>> {
    const opened = new Map<PeerName, HttpServer>();
    for (const name of this.#names) {
      const peer = peerCatalogue[name];
      if (peer.kind !== "http") continue;
      const server = await this.#open(peer, peer.open);
      if (server !== undefined) opened.set(name, server);
    }
    return opened;
  }

  /** A peer that does not open is left out like one that is not there. */
  async #open<T extends AsyncDisposable>(
    { name, missing }: Peer,
    open: (resources: PeerResources) => Promise<T>,
  ): Promise<T | undefined> {
    const { signal, directory } = this.#resources;
    let reason = await missing(signal);
    if (reason === undefined) {
      try {
        const own = join(directory, name);
        await mkdir(own, { mode: 0o700 });
        return this.#stack.use(await open({ ...this.#resources, directory: own }));
      } catch (error) {
        signal.throwIfAborted();
        reason = `it cannot be set up: ${messageOf(error)}`;
      }
    }
    this.skipped.push({ name, reason });
    return undefined;
  }
}
