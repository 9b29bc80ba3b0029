import { isIPv6 } from "node:net";
import type { HttpBindings } from "@hono/node-server";
import type { Call } from "../domain/invoker.ts";
import { type FunctionReference, referenceIn } from "../domain/function-reference.ts";
import { hasKey } from "../domain/keys/token.ts";
import { isFraming } from "./framing.ts";

/** The part of a function URL's path that names the function, and what it names. */
export interface FunctionAddress extends FunctionReference {
  readonly prefix: string;
}

/** Reads `/f/name[:qualifier]/...`; a name that none can have is as good as one that nobody has. */
export function functionAddress(url: string): FunctionAddress {
  const [prefix = "", segment = ""] = /^\/f\/([^/]*)/.exec(new URL(url).pathname) ?? [];
  return { ...referenceIn(decoded(segment)), prefix };
}

/** A request as its function is to see it: without what goes for one hop, and with where it came from. */
export function httpRequest(
  { method, url }: Request,
  { incoming }: HttpBindings,
  prefix: string,
): NonNullable<Call["http"]> {
  const { rawHeaders, headers, socket } = incoming;
  const kept: [string, string][] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? "").toLowerCase();
    const isOwn = name === "forwarded" || name.startsWith("x-forwarded-");
    const value = rawHeaders[at + 1] ?? "";
    if (!isOwn && !isFraming(name, headers.connection) && !hasKey(value)) kept.push([name, value]);
  }
  if (headers["content-length"] !== undefined) {
    kept.push(["content-length", headers["content-length"]]);
  }
  kept.push(
    ["x-forwarded-for", addressOf(socket)],
    ["x-forwarded-proto", new URL(url).protocol.slice(0, -1)],
    ["x-forwarded-host", headers.host ?? ""],
    ["x-forwarded-prefix", prefix],
  );
  return { method, url, headers: kept };
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

/** An address of IPv4 reads the same whatever the server listens on. */
function addressOf({ remoteAddress = "" }: HttpBindings["incoming"]["socket"]): string {
  return remoteAddress.replace(/^::ffff:(?=\d+\.)/, "");
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
