import { lookup, type LookupAddress } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { RunletError } from "../../errors.ts";

/** What IANA's registry of special-purpose addresses does not call globally reachable, and multicast. */
const special: readonly [address: string, prefix: number][] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];

/** Within the only block of IPv6 that is routed: what is special, and what leads to an IPv4 address. */
const special6: readonly [address: string, prefix: number][] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];

const refused = new BlockList();
for (const [address, prefix] of special) refused.addSubnet(address, prefix, "ipv4");
for (const [address, prefix] of special6) refused.addSubnet(address, prefix, "ipv6");

const routed6 = new BlockList();
routed6.addSubnet("2000::", 3, "ipv6");

/** Tells whether an IP address is one of the public Internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !refused.check(address, "ipv4");
  return family === 6 && routed6.check(address, "ipv6") && !refused.check(address, "ipv6");
}

/** @throws `failed_precondition` for a host that is an address and not a public one; a name is looked up later. */
export function assertPublicHost(hostname: string): void {
  const address = hostname.replace(/^\[(.*)\]$/, "$1");
  if (isIP(address) !== 0 && !isPublicAddress(address)) throw notPublic(hostname);
}

/** Looks a name up for a connection, which is made to nothing else: those of its addresses that are public. */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, []);
    const open = addresses.filter(({ address }: LookupAddress) => isPublicAddress(address));
    const [first] = open;
    if (first === undefined) return callback(notPublic(hostname), []);
    if (options.all === true) callback(null, open);
    else callback(null, first.address, first.family);
  });
};

function notPublic(hostname: string): RunletError {
  return new RunletError(
    "failed_precondition",
    `Cannot send to ${hostname}: it is no address of the public Internet. Have the operator set RUNLET_ALLOW_PRIVATE_CALLBACKS if it may be told`,
  );
}
