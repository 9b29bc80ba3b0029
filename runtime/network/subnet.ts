import { isIPv4 } from "node:net";
import type { Subnet } from "./special-addresses.ts";

/** The number that an IPv4 address is. */
export function numberOf(address: string): number {
  return address.split(".").reduce((number, part) => number * 256 + Number(part), 0);
}

/** The IPv4 address that a number is. */
export function addressOf(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}

/** How many addresses are in it. */
export function sizeOf([, prefix]: Subnet): number {
  return 2 ** (32 - prefix);
}

/** Whether all of `inner` is in `outer`. */
export function contains(outer: Subnet, inner: Subnet): boolean {
  const offset = numberOf(inner[0]) - numberOf(outer[0]);
  return inner[1] >= outer[1] && offset >= 0 && offset < sizeOf(outer);
}

/** Whether they have an address in common. */
export function overlaps(one: Subnet, other: Subnet): boolean {
  return contains(one, other) || contains(other, one);
}

/** Reads `10.0.0.0/8`, or an address alone; undefined for any other text, also where bits past the prefix are set. */
export function parseSubnet(text: string): Subnet | undefined {
  const [, address = "", digits = "32"] = /^([\d.]+)(?:\/(\d{1,2}))?$/.exec(text) ?? [];
  const subnet: Subnet = [address, Number(digits)];
  if (!isIPv4(address) || subnet[1] > 32) return undefined;
  return numberOf(address) % sizeOf(subnet) === 0 ? subnet : undefined;
}

/** As {@link parseSubnet} reads it. */
export function formatSubnet([address, prefix]: Subnet): string {
  return `${address}/${prefix}`;
}
