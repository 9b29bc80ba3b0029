import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { NODATA, NOTFOUND, type Resolver } from "node:dns/promises";
import { LRUCache } from "lru-cache";
import type { SpecOption } from "../oci/spec.ts";
import { compose, withNetworkNamespace, withReadOnlyBind } from "../oci/spec-options.ts";
import type { AddressPair } from "./address-pool.ts";
import type { AllowList } from "./allow-list.ts";
import { ip, namespaceDirectory, nft, removeLinks } from "./commands.ts";
import type { Resolution } from "./dns-answer.ts";
import { DnsForwarder } from "./dns-forwarder.ts";
import {
  maxNamedAddresses,
  type Member,
  memberRules,
  type NamedAddress,
  namedRules,
  removalRules,
  type Table,
} from "./ruleset.ts";

export interface NetworkParts {
  /** The name of the namespace, under /run/netns. */
  name: string;
  /** Takes the file that names the DNS server. */
  resolvConf: string;
  allow: AllowList;
  addresses: AddressPair;
  table: Table;
  resolver: Resolver;
  /** Called when nothing of it is left. */
  onGone: () => void;
}

/** For how long an address stays open at least, for clients that keep what they looked up for longer than they should. */
const leastOpenS = 300;
const maxTtlS = 3600;

/**
 * The network of one container: a namespace with one link to the host, which lets through what is allowed. The
 * container's own stack takes the addresses over, so that a network serves one container once. Disposing it, when
 * the container has ended, leaves nothing; it may be tried again.
 */
export class Network implements AsyncDisposable {
  /** Where the namespace is, for the spec of the container. */
  readonly namespacePath: string;
  /** Puts a container into this network, where it finds a DNS server by /etc/resolv.conf. */
  readonly inSpec: SpecOption;
  readonly #parts: NetworkParts;
  readonly #member: Member;
  /** The addresses that are open by name, for as long as they surely are. */
  readonly #open = new LRUCache<string, true>({ max: maxNamedAddresses, ttl: 1 });
  #dns: DnsForwarder | undefined;
  #waiting: { named: NamedAddress[]; done: Promise<void> } | undefined;
  #applied: Promise<void> = Promise.resolve();
  #isGone = false;

  private constructor(parts: NetworkParts) {
    const { name, addresses, table, resolvConf } = parts;
    const { hostAddress, guestAddress, index } = addresses;
    this.#parts = parts;
    this.#member = { interface: `${table.interfaces}${index}`, hostAddress, guestAddress };
    this.namespacePath = join(namespaceDirectory, name);
    this.inSpec = compose(
      withNetworkNamespace(this.namespacePath),
      withReadOnlyBind(resolvConf, "/etc/resolv.conf"),
    );
  }

  /** Makes it; on failure nothing of it is left. @throws `unavailable`, or the reason of the signal. */
  static async open(parts: NetworkParts, signal: AbortSignal): Promise<Network> {
    await using stack = new AsyncDisposableStack();
    const network = stack.use(new Network(parts));
    await network.#setUp(signal);
    stack.move();
    return network;
  }

  /** The address that the container has. */
  get guestAddress(): string {
    return this.#member.guestAddress;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isGone) return;
    const { name, resolvConf, table, onGone } = this.#parts;
    await this.#dns?.[Symbol.asyncDispose]();
    await this.#applied.catch(() => undefined);
    await removeLinks(
      (link) => link === this.#member.interface,
      (namespace) => namespace === name,
    );
    await nft(removalRules(table, this.#member));
    await rm(resolvConf, { force: true });
    this.#isGone = true;
    onGone();
  }

  /** The rules first: there is no moment in which a link is up without them. */
  async #setUp(signal: AbortSignal): Promise<void> {
    const { name, resolvConf, allow, table } = this.#parts;
    const { hostAddress, guestAddress, interface: link } = this.#member;
    await writeFile(resolvConf, `nameserver ${hostAddress}\n`, { mode: 0o644 });
    await nft(memberRules(table, this.#member, allow.subnets), { signal });
    await ip(
      [
        `netns add ${name}`,
        `link add ${link} type veth peer name eth0 netns ${name}`,
        `link set ${link} alias ${name} addrgenmode none`,
        `address add ${hostAddress}/31 dev ${link}`,
        `link set ${link} up`,
      ],
      { signal },
    );
    await ip(
      [
        "link set lo up",
        "link set eth0 addrgenmode none",
        `address add ${guestAddress}/31 dev eth0`,
        "link set eth0 up",
        `route add default via ${hostAddress}`,
      ],
      { namespace: name, signal },
    );
    this.#dns = await DnsForwarder.open({
      hostAddress,
      guestAddress,
      isAllowed: (host) => allow.portsOf(host) !== undefined,
      resolve: async (host) => await this.#resolve(host),
    });
  }

  /** Looks a name up and opens what it leads to, in this order and before anybody is told. */
  async #resolve(host: string): Promise<Resolution> {
    const { allow, resolver } = this.#parts;
    const found = await addressesOf(resolver, host);
    if (found === undefined) return { isFound: false };
    const allowed = found.filter(({ address }) => allow.mayLeadTo(address));
    const ttlS = Math.min(maxTtlS, ...allowed.map(({ ttl }) => ttl));
    const addresses = allowed.map(({ address }) => address);
    await this.#admit(host, addresses, ttlS);
    return { isFound: true, addresses, ttlS };
  }

  async #admit(host: string, addresses: readonly string[], ttlS: number): Promise<void> {
    const ports = this.#parts.allow.portsOf(host) ?? new Set();
    const timeoutS = Math.max(leastOpenS, ttlS) + leastOpenS;
    const isOpen = (key: string): boolean => this.#open.getRemainingTTL(key) >= ttlS * 1000;
    const openPorts = ports === "all" ? [undefined] : [...ports];
    const named = addresses
      .flatMap((address): NamedAddress[] => openPorts.map((port) => ({ address, port, timeoutS })))
      .filter((each) => !isOpen(keyOf(each)));
    if (named.length === 0) return;
    await this.#apply(named);
    const ttl = (timeoutS - 1) * 1000;
    for (const each of named) this.#open.set(keyOf(each), true, { ttl });
  }

  /** What comes while one transaction runs goes together into the next. */
  async #apply(named: readonly NamedAddress[]): Promise<void> {
    if (this.#waiting === undefined) {
      const batch: NamedAddress[] = [];
      const done = this.#applyAfter(this.#applied, batch);
      this.#waiting = { named: batch, done };
      this.#applied = done;
    }
    this.#waiting.named.push(...named);
    await this.#waiting.done;
  }

  async #applyAfter(earlier: Promise<void>, batch: readonly NamedAddress[]): Promise<void> {
    await earlier.catch(() => undefined);
    this.#waiting = undefined;
    await nft(namedRules(this.#parts.table, this.#member.interface, batch));
  }
}

function keyOf({ address, port }: NamedAddress): string {
  return `${address} ${port ?? ""}`;
}

/** The IPv4 addresses of a name; none where it has only others, undefined where there is no such name. */
async function addressesOf(
  resolver: Resolver,
  host: string,
): Promise<{ address: string; ttl: number }[] | undefined> {
  try {
    return await resolver.resolve4(host, { ttl: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === NOTFOUND) return undefined;
    if (code === NODATA) return [];
    throw error;
  }
}
