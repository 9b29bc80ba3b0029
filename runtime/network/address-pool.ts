import { randomInt } from "node:crypto";
import { networkInterfaces } from "node:os";
import { z } from "zod";
import { RunletError } from "../errors.ts";
import type { Subnet } from "./special-addresses.ts";
import {
  addressOf,
  contains,
  formatSubnet,
  numberOf,
  overlaps,
  parseSubnet,
  sizeOf,
} from "./subnet.ts";

/** The two ends of a link, next to each other in a block of two. */
export interface AddressPair extends Disposable {
  readonly hostAddress: string;
  readonly guestAddress: string;
  /** The number of the pair in the range, as four hexadecimal digits. */
  readonly index: string;
}

const pairPrefix = 31;
const maxPairs = 65_536;
const attempts = 64;

/** Hands out addresses for links. */
export class AddressPool {
  readonly range: Subnet;
  readonly #taken = new Set<number>();

  /** @throws `invalid_argument` for a range that is none. */
  constructor(range: string) {
    const subnet = parseSubnet(range);
    if (subnet === undefined || subnet[1] < 8 || subnet[1] > 30) {
      throw new RunletError(
        "invalid_argument",
        `Cannot take links' addresses from ${range}: expected an IPv4 block such as 198.18.0.0/15, of /8 to /30`,
      );
    }
    this.range = subnet;
  }

  /** A pair that no interface of this host has. By chance, so that two servers do not meet in their first. */
  take(): AddressPair {
    const used = interfaceAddresses();
    const pairs = Math.min(sizeOf(this.range) / 2, maxPairs);
    for (let attempt = 0; attempt < attempts; attempt++) {
      const index = randomInt(pairs);
      const first = numberOf(this.range[0]) + index * 2;
      const pair: Subnet = [addressOf(first), pairPrefix];
      if (this.#taken.has(index) || used.some((address) => contains(pair, [address, 32]))) continue;
      this.#taken.add(index);
      return {
        hostAddress: addressOf(first),
        guestAddress: addressOf(first + 1),
        index: index.toString(16).padStart(4, "0"),
        [Symbol.dispose]: () => void this.#taken.delete(index),
      };
    }
    throw new RunletError(
      "resource_exhausted",
      `Cannot make a network: no addresses are free in ${formatSubnet(this.range)}. Close sandboxes, or have the operator set a larger range with RUNLET_NETWORK_RANGE`,
    );
  }

  /** @throws `unavailable` where the host's routes lead to the range, other than by links of Runlets. */
  requireFree(routes: string, linkPrefix: string): void {
    const other = routesAnswer.parse(JSON.parse(routes)).find(({ dst, dev }) => {
      const subnet = parseSubnet(dst);
      if (subnet === undefined || dev?.startsWith(linkPrefix) === true) return false;
      return overlaps(this.range, subnet);
    });
    if (other === undefined) return;
    throw new RunletError(
      "unavailable",
      `Cannot set up a network: the host has a route to ${other.dst}, which is in the range ${formatSubnet(this.range)} of the sandboxes' links. Have the operator set another with RUNLET_NETWORK_RANGE`,
    );
  }
}

const routesAnswer = z.array(z.object({ dst: z.string(), dev: z.string().optional() }));

function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flat()
    .filter((address) => address?.family === "IPv4")
    .map((address) => address?.address ?? "");
}
