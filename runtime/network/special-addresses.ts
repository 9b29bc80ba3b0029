import { BlockList, isIP } from "node:net";

/** A block of addresses, as `["10.0.0.0", 8]`. */
export type Subnet = readonly [address: string, prefix: number];

/** What IANA's registry of special-purpose addresses does not call globally reachable, and multicast. */
export const specialSubnets: readonly Subnet[] = [
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
const special6: readonly Subnet[] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];

const refused = new BlockList();
for (const [address, prefix] of specialSubnets) refused.addSubnet(address, prefix, "ipv4");
for (const [address, prefix] of special6) refused.addSubnet(address, prefix, "ipv6");

const routed6 = new BlockList();
routed6.addSubnet("2000::", 3, "ipv6");

/** Tells whether an IP address is one of the public Internet. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !refused.check(address, "ipv4");
  return family === 6 && routed6.check(address, "ipv6") && !refused.check(address, "ipv6");
}
