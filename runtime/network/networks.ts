import { Resolver } from "node:dns/promises";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { startDeadline, untilAborted } from "../deadline.ts";
import { RunletError } from "../errors.ts";
import { AddressPool } from "./address-pool.ts";
import { AllowList } from "./allow-list.ts";
import { ipRoutes, nft, removeLinks } from "./commands.ts";
import { Network } from "./network.ts";
import { baseRules, dropRules, type Table } from "./ruleset.ts";
import { linkPrefix, requireNetworkSupport } from "./support.ts";

export interface NetworksOptions {
  /** What all that is made bears in its name, of this Runlet alone and the same at every start. */
  name: string;
  /** Directory for files of networks. */
  directory: string;
  /** Where the addresses of links come from; a block that is not in use where the host is. */
  range?: string | undefined;
  /** The DNS servers that names are looked up by; the host's own by default. */
  dnsServers?: readonly string[] | undefined;
}

export interface NetworkRequest {
  /** Of letters, digits and dashes; no two networks at once have the same. */
  id: string;
  /** What may be connected to; see {@link AllowList}. */
  allow: readonly string[];
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

/** For the tests of network devices, so that hardly anybody has hosts there. */
const defaultRange = "198.18.0.0/15";

/**
 * Networks of containers on this host: for each a namespace, and one table of nftables for all, which says what
 * they may connect to. Nothing is made before the first is asked for. Disposing it removes all of it.
 */
export class Networks implements AsyncDisposable {
  readonly #options: NetworksOptions;
  readonly #table: Table;
  readonly #addresses: AddressPool;
  readonly #resolver: Resolver;
  readonly #networks = new Map<string, Promise<Network>>();
  #prepared: Promise<void> | undefined;
  #swept: Promise<void> | undefined;

  constructor(options: NetworksOptions) {
    const { name, range = defaultRange, dnsServers } = options;
    const digest = createHash("sha256").update(name).digest("hex").slice(0, 8);
    this.#options = options;
    this.#table = { name, interfaces: `${linkPrefix}${digest}` };
    this.#addresses = new AddressPool(range);
    this.#resolver = new Resolver({ timeout: 2_000, tries: 3 });
    if (dnsServers !== undefined) this.#resolver.setServers(dnsServers);
  }

  /**
   * Removes what an earlier process of the same name left, of which no container may live. The first network waits
   * for it, since it bears the same names.
   * @throws `unavailable` where something is left; it may be tried again.
   */
  async sweep(): Promise<void> {
    this.#swept ??= this.#sweep();
    try {
      await this.#swept;
    } catch (error) {
      this.#swept = undefined;
      throw error;
    }
  }

  /**
   * Makes a network, which is to be disposed when its container has ended.
   * @throws `invalid_argument` for an entry that cannot be allowed, `unavailable` with what the host lacks.
   */
  async create({ id, allow, signal, timeoutMs = 20_000 }: NetworkRequest): Promise<Network> {
    const list = new AllowList(allow);
    if (!/^[\w-]{1,64}$/.test(id) || this.#networks.has(id)) {
      const why = this.#networks.has(id) ? "there is one" : "expected letters, digits and dashes";
      throw new RunletError("invalid_argument", `Cannot make network ${id}: ${why}`);
    }
    using deadline = startDeadline(`make network ${id}`, timeoutMs, signal);
    const network = this.#create(id, list, deadline.signal);
    this.#networks.set(id, network);
    network.catch(() => this.#networks.delete(id));
    return await network;
  }

  async #create(id: string, allow: AllowList, signal: AbortSignal): Promise<Network> {
    this.#prepared ??= this.#prepare();
    await untilAborted(this.#prepared, signal);
    const { name, directory } = this.#options;
    using stack = new DisposableStack();
    const addresses = stack.use(this.#addresses.take());
    const parts = {
      name: `${name}.${id}`,
      resolvConf: join(directory, `${id}.conf`),
      allow,
      addresses,
      table: this.#table,
      resolver: this.#resolver,
      onGone: (): void => {
        addresses[Symbol.dispose]();
        this.#networks.delete(id);
      },
    };
    const network = await Network.open(parts, signal);
    stack.move();
    return network;
  }

  /** Once; what a host lacks may be mended before the next try. */
  async #prepare(): Promise<void> {
    try {
      await this.sweep();
      await requireNetworkSupport();
      this.#addresses.requireFree(await ipRoutes(), linkPrefix);
      await nft(baseRules(this.#table));
    } catch (error) {
      this.#prepared = undefined;
      throw error;
    }
  }

  /** A host that can have no network has nothing to be removed either. */
  async #sweep(): Promise<void> {
    const { name, directory } = this.#options;
    await removeLinks(
      (link) => link.startsWith(this.#table.interfaces),
      (namespace) => namespace.startsWith(`${name}.`),
    );
    await nft(dropRules(this.#table)).catch(() => undefined);
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using stack = new AsyncDisposableStack();
    stack.defer(async () => {
      if (this.#prepared !== undefined) await nft(dropRules(this.#table));
      this.#prepared = undefined;
    });
    for (const network of await Promise.allSettled(this.#networks.values())) {
      if (network.status === "fulfilled") stack.use(network.value);
    }
  }
}
