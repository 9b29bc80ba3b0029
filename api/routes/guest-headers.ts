import type { IncomingMessage } from "node:http";
import { RunletError } from "../domain/errors.ts";
import { hasKey } from "../domain/keys/token.ts";
import { isFraming } from "./framing.ts";

/** Headers by name, as they come: some may be there more than once. */
export type HeaderList = [string, string][];

/**
 * Headers of a request as a guest is to see them: without what goes for one hop, without keys of the server's, and
 * with where it came from.
 */
export function headersForGuest(
  { rawHeaders, headers, socket }: IncomingMessage,
  { protocol, prefix }: { protocol: string; prefix: string },
): HeaderList {
  const kept = pairs(rawHeaders).filter(([name, value]) => {
    const isOwn = name === "forwarded" || name.startsWith("x-forwarded-");
    return !isOwn && !isFraming(name, headers.connection) && !hasKey(value);
  });
  if (headers["content-length"] !== undefined) {
    kept.push(["content-length", headers["content-length"]]);
  }
  kept.push(
    ["x-forwarded-for", addressOf(socket)],
    ["x-forwarded-proto", protocol],
    ["x-forwarded-host", headers.host ?? ""],
    ["x-forwarded-prefix", prefix],
  );
  return kept;
}

/**
 * Headers of an answer that a server inside gave, as a caller is to see them: without what goes for one hop or says
 * something of the whole origin, which is the API's.
 */
export function headersOfGuest({ rawHeaders, headers }: IncomingMessage): HeaderList {
  const kept = pairs(rawHeaders).filter(
    ([name]) => !isFraming(name, headers.connection) && !isOfOrigin(name),
  );
  kept.push(["content-security-policy", guestPolicy]);
  return kept;
}

/** Whether a header is one with which a server speaks for its whole origin, or as Runlet itself. */
export function isOfOrigin(name: string): boolean {
  return originWide.has(name) || name.startsWith("runlet-");
}

const originWide: ReadonlySet<string> = new Set([
  "alt-svc",
  "clear-site-data",
  "nel",
  "report-to",
  "service-worker-allowed",
  "set-cookie",
  "set-cookie2",
  "strict-transport-security",
  // With this one an answer counts as sent.
  "x-hono-already-sent",
]);

/** A page of a guest's is of an origin of its own: it must not ask the API in its reader's name. */
const guestPolicy =
  "sandbox allow-downloads allow-forms allow-modals allow-pointer-lock allow-popups allow-presentation allow-scripts";

/** A worker would answer for the API later on. @throws `permission_denied`. */
export function refuseServiceWorker({ headers }: IncomingMessage): void {
  if (headers["service-worker"] === undefined) return;
  throw new RunletError(
    "permission_denied",
    "Cannot serve a service worker: it would be one of the API's origin. Have the page on an origin of its own",
  );
}

/** An address of IPv4 reads the same whatever the server listens on. */
export function addressOf({ remoteAddress = "" }: IncomingMessage["socket"]): string {
  return remoteAddress.replace(/^::ffff:(?=\d+\.)/, "");
}

function pairs(rawHeaders: readonly string[]): HeaderList {
  const all: HeaderList = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    all.push([(rawHeaders[at] ?? "").toLowerCase(), rawHeaders[at + 1] ?? ""]);
  }
  return all;
}
