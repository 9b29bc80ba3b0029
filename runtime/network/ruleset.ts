import type { AllowedSubnet } from "./allow-list.ts";
import { specialSubnets } from "./special-addresses.ts";
import { formatSubnet } from "./subnet.ts";

/** A table of nftables, and how the names of all interfaces begin that it is for. */
export interface Table {
  readonly name: string;
  readonly interfaces: string;
}

/** One sandbox in the table. */
export interface Member {
  /** The host's end of its link. */
  readonly interface: string;
  readonly hostAddress: string;
  readonly guestAddress: string;
}

/** More flows than this at once are refused to one sandbox, since all share the host's table of connections. */
const maxFlows = 1024;
/** Addresses that the names of one sandbox may lead to at once. */
export const maxNamedAddresses = 4096;

/** What of each sandbox is in one place. */
const memberSets = `
  set sources { type ifname . ipv4_addr; }
  set resolvers { type ifname . ipv4_addr; }
  set guests { type ipv4_addr; }
  map senders { type ifname : verdict; }
  map visitors { type ifname : verdict; }`;

/**
 * What holds for all sandboxes; it takes the place of a table of the same name. A packet that no rule lets
 * through is refused, and so is one from an address that is not the sandbox's own. Verdicts to accept are for
 * this table alone: what others of the host drop stays dropped.
 */
export function baseRules({ name, interfaces }: Table): string {
  const ours = `"${interfaces}*"`;
  return `
add table inet ${name}
delete table inet ${name}
table inet ${name} {
  ${memberSets}
  set special {
    type ipv4_addr; flags interval;
    elements = { ${specialSubnets.map((subnet) => formatSubnet(subnet)).join(", ")} }
  }
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject with icmpx port-unreachable
  }
  chain leaving {
    meta nfproto != ipv4 drop
    iifname . ip saddr != @sources drop
    oifname ${ours} goto refuse
    ct state established,related accept
    meta l4proto != { tcp, udp } goto refuse
    iifname vmap @senders
    drop
  }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    iifname ${ours} jump leaving
    oifname ${ours} ct state established,related accept
    oifname ${ours} drop
  }
  chain arriving {
    meta nfproto != ipv4 drop
    iifname . ip saddr != @sources drop
    ct state established,related accept
    meta l4proto { tcp, udp } iifname . ip daddr @resolvers th dport 53 accept
    iifname vmap @visitors
    goto refuse
  }
  chain input {
    type filter hook input priority filter - 10; policy accept;
    iifname ${ours} jump arriving
  }
  chain outbound {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr @guests masquerade
  }
}
`;
}

/** Lets a sandbox in, with what it may connect to by address. The host's own addresses count one by one only. */
export function memberRules(
  { name }: Table,
  member: Member,
  subnets: readonly AllowedSubnet[],
): string {
  const link = member.interface;
  return `
table inet ${name} {
  ${memberFrame(link)}
  chain from-${link} {
    ct count over ${maxFlows} goto refuse
    ${acceptRules(subnets.filter(({ isSpecial }) => isSpecial))}
    ip daddr @special goto refuse
    ${acceptRules(subnets.filter(({ isSpecial }) => !isSpecial))}
    ip daddr @names-${link} accept
    ip daddr . th dport @ports-${link} accept
    goto refuse
  }
  chain to-${link} {
    ${acceptRules(subnets.filter(({ subnet }) => subnet[1] === 32))}
    goto refuse
  }
}
${addElements(name, member)}
`;
}

/** Takes away all that {@link memberRules} made, whether or not all of it is there. */
export function removalRules({ name }: Table, member: Member): string {
  const link = member.interface;
  // A transaction fails at what it cannot find, so all is made before it is removed.
  return `
table inet ${name} {
  ${memberSets}
  ${memberFrame(link)}
}
${addElements(name, member)}
${[
  ...memberElements(member).map(([set, key]) => `delete element inet ${name} ${set} { ${key} }`),
  ...["from", "to"].map((chain) => `delete chain inet ${name} ${chain}-${link}`),
  ...["names", "ports"].map((set) => `delete set inet ${name} ${set}-${link}`),
].join("\n")}
`;
}

/** An address that a name leads to, the port that is open there where it is one, and for how long. */
export interface NamedAddress {
  readonly address: string;
  readonly port: number | undefined;
  readonly timeoutS: number;
}

/** Opens addresses for a time from now on, also such as are open already. */
export function namedRules({ name }: Table, link: string, named: readonly NamedAddress[]): string {
  return named
    .flatMap(({ address, port, timeoutS }) => {
      const set = `inet ${name} ${port === undefined ? "names" : "ports"}-${link}`;
      const key = port === undefined ? address : `${address} . ${port}`;
      const add = `add element ${set} { ${key} timeout ${timeoutS}s }`;
      // Adding alone does not lengthen the time of an element that is there.
      return [add, `delete element ${set} { ${key} }`, add];
    })
    .map((line) => `${line}\n`)
    .join("");
}

/** Removes the table, which need not be there. */
export function dropRules({ name }: Pick<Table, "name">): string {
  return `add table inet ${name}\ndelete table inet ${name}\n`;
}

function memberFrame(link: string): string {
  return `
  set names-${link} { type ipv4_addr; flags timeout; size ${maxNamedAddresses}; }
  set ports-${link} { type ipv4_addr . inet_service; flags timeout; size ${maxNamedAddresses}; }
  chain from-${link} {}
  chain to-${link} {}`;
}

function addElements(name: string, member: Member): string {
  return memberElements(member)
    .map(([set, key, value]) => `add element inet ${name} ${set} { ${key}${value} }`)
    .join("\n");
}

function memberElements(member: Member): [set: string, key: string, value: string][] {
  const link = member.interface;
  const { hostAddress, guestAddress } = member;
  return [
    ["sources", `"${link}" . ${guestAddress}`, ""],
    ["resolvers", `"${link}" . ${hostAddress}`, ""],
    ["guests", guestAddress, ""],
    ["senders", `"${link}"`, ` : jump from-${link}`],
    ["visitors", `"${link}"`, ` : jump to-${link}`],
  ];
}

function acceptRules(allowed: readonly AllowedSubnet[]): string {
  const rules = allowed.map(({ subnet, port }) => {
    const condition = `ip daddr ${formatSubnet(subnet)}`;
    return `${condition}${port === undefined ? "" : ` th dport ${port}`} accept`;
  });
  return rules.join("\n    ");
}
