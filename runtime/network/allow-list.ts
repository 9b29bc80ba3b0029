import { isIP } from "node:net";
import { RunletError } from "../errors.ts";
import { isPublicAddress, specialSubnets, type Subnet } from "./special-addresses.ts";
import { contains, parseSubnet } from "./subnet.ts";

/** The ports that are open at an address: all, or these. */
export type Ports = "all" | ReadonlySet<number>;

/** Addresses that are allowed by number. */
export interface AllowedSubnet {
  readonly subnet: Subnet;
  readonly port: number | undefined;
  /** Whether it lies in what is denied unless it is listed: private, link-local and other special addresses. */
  readonly isSpecial: boolean;
}

const maxEntries = 256;
const nameForm = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/;
/** What no packet from a sandbox can get to. */
const unreachable: readonly Subnet[] = [
  ["0.0.0.0", 8],
  ["127.0.0.0", 8],
  ["224.0.0.0", 3],
];

/**
 * What a sandbox may connect to. An entry is a host name, `*.name` for all names below one, `*` for all names,
 * an IPv4 address or a block such as `10.0.0.0/8`; a port may stand behind a colon. A block opens special
 * addresses only where it lies in them, so that `0.0.0.0/0` is the public Internet alone.
 */
export class AllowList {
  readonly subnets: readonly AllowedSubnet[];
  readonly #names = new Map<string, Set<number> | "all">();

  /** @throws `invalid_argument` for an entry of another form. */
  constructor(entries: readonly string[]) {
    if (entries.length > maxEntries) {
      throw refused(`${entries.length} entries`, `at most ${maxEntries} are allowed`);
    }
    const subnets: AllowedSubnet[] = [];
    for (const entry of entries) {
      const { host, port } = split(entry);
      const subnet = parseSubnet(host);
      if (subnet !== undefined) subnets.push({ subnet, port, isSpecial: isSpecial(entry, subnet) });
      else this.#addName(nameOf(entry, host), port);
    }
    this.subnets = subnets;
  }

  /** The ports that are open at the addresses of a name in lower case; undefined where it is not allowed. */
  portsOf(name: string): Ports | undefined {
    const found = [name, ...wildcardsOf(name)].flatMap((key) => this.#names.get(key) ?? []);
    if (found.length === 0) return undefined;
    const sets = found.filter((ports) => ports !== "all");
    return sets.length < found.length ? "all" : new Set(sets.flatMap((ports) => [...ports]));
  }

  /** Whether a name may lead to an address: a public one, or a special one that is listed by number. */
  mayLeadTo(address: string): boolean {
    if (isPublicAddress(address)) return true;
    return this.subnets.some(
      (allowed) => allowed.isSpecial && contains(allowed.subnet, [address, 32]),
    );
  }

  #addName(name: string, port: number | undefined): void {
    const ports = this.#names.get(name) ?? new Set();
    if (port === undefined || ports === "all") this.#names.set(name, "all");
    else this.#names.set(name, ports.add(port));
  }
}

function wildcardsOf(name: string): string[] {
  const labels = name.split(".");
  return labels.map((_, index) => ["*", ...labels.slice(index + 1)].join("."));
}

function split(entry: string): { host: string; port: number | undefined } {
  const [host = "", digits, ...rest] = entry.split(":");
  if (rest.length > 0 || isIP(entry) === 6) {
    throw refused(entry, "a sandbox has IPv4 only. Give a name, an IPv4 address or a block");
  }
  if (digits === undefined) return { host, port: undefined };
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65_535) throw refused(entry, "the port must be from 1 to 65535");
  return { host, port };
}

function isSpecial(entry: string, subnet: Subnet): boolean {
  if (unreachable.some((block) => contains(block, subnet))) {
    throw refused(entry, "these addresses are never reached from a sandbox. Leave it out");
  }
  return specialSubnets.some((block) => contains(block, subnet));
}

function nameOf(entry: string, host: string): string {
  const name = host.toLowerCase().replace(/\.$/, "");
  // What looks like an address and is none, such as 10.0.0.1/8, must not pass for a name.
  const isName = nameForm.test(name.replace(/^\*\./, "")) && !/^[\d.]+$/.test(name);
  if (name === "*" || isName) return name;
  throw refused(
    entry,
    "expected a host name, *.name, *, an IPv4 address or a block such as 10.0.0.0/8, and where wanted a colon and a port",
  );
}

function refused(what: string, why: string): RunletError {
  return new RunletError("invalid_argument", `Cannot allow ${JSON.stringify(what)}: ${why}`);
}

/** Whether a text is a host name in lower case, of letters, digits, dashes and underscores alone. */
export function isHostName(text: string): boolean {
  return nameForm.test(text);
}
