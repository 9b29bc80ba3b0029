import { isIPv6 } from "node:net";
import type { HttpBindings } from "@hono/node-server";
import type { Call } from "../domain/invoker.ts";
import { type FunctionReference, referenceIn } from "../domain/function-reference.ts";
import { addressOf, headersForGuest } from "./guest-headers.ts";

/** The part of a function URL's path that names the function, and what it names. */
export interface FunctionAddress extends FunctionReference {
  readonly prefix: string;
}

/** Reads `/f/name[:qualifier]/...`; a name that none can have is as good as one that nobody has. */
export function functionAddress(url: string): FunctionAddress {
  const [prefix = "", segment = ""] = /^\/f\/([^/]*)/.exec(new URL(url).pathname) ?? [];
  return { ...referenceIn(decoded(segment)), prefix };
}

/** A request as its function is to see it. */
export function httpRequest(
  { method, url }: Request,
  { incoming }: HttpBindings,
  prefix: string,
): NonNullable<Call["http"]> {
  const protocol = new URL(url).protocol.slice(0, -1);
  return { method, url, headers: headersForGuest(incoming, { protocol, prefix }) };
}

/**
 * Who sent a request, as rate limits tell callers apart: by the address of the socket, since anybody can write a
 * header. Whoever has an address of IPv6 has its whole network, so that this is what counts.
 */
export function networkOf({ incoming }: HttpBindings): string {
  const address = addressOf(incoming.socket);
  if (!isIPv6(address)) return address;
  const [head = [], tail = []] = address
    .split("::")
    .map((part) => part.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => "0");
  return `${[...head, ...zeros, ...tail].slice(0, 4).join(":")}::/64`;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
