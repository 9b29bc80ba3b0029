import { once } from "node:events";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { assertPublicHost, lookupPublic } from "./public-address.ts";

export interface PostRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Whether the address may be one that is not public. */
  readonly allowPrivate: boolean;
  readonly signal: AbortSignal;
}

/**
 * Posts a body, follows no redirect and reads nothing but the status that it is answered with.
 * @throws `failed_precondition` for an address that is not public, and what broke the connection.
 */
export async function post(options: PostRequest): Promise<number> {
  const { headers, body, allowPrivate, signal } = options;
  const url = new URL(options.url);
  if (!allowPrivate) assertPublicHost(url.hostname);
  const send = url.protocol === "https:" ? requestHttps : requestHttp;
  const request = send(url, {
    method: "POST",
    headers: { ...headers, "content-length": body.byteLength },
    // A connection of its own: none is kept that was made before its name meant something else.
    agent: false,
    ...(!allowPrivate && { lookup: lookupPublic }),
    signal,
  });
  try {
    request.end(body);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return response.statusCode ?? 0;
  } finally {
    // Breaking it off is the end that is wanted, too.
    request.on("error", () => undefined).destroy();
  }
}
