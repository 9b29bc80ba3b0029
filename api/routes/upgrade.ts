import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { HttpBindings } from "@hono/node-server";
import { RunletError } from "../domain/errors.ts";

/** A connection that is no more one of HTTP, and what had come of it by then. */
export interface TakenOver {
  readonly socket: Socket;
  readonly head: Buffer;
}

/** What connections may become here. */
const protocols: readonly string[] = ["websocket", "tcp"];

/** After this time without a byte, the system asks whether the other end is still there. */
const keepAliveMs = 30_000;

/** Whether a request wants its connection to become something else that it can become here. */
export function wantsUpgrade({ method, url = "", headers }: IncomingMessage): boolean {
  const hasBody =
    headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
  const isAsked = method === "GET" && !hasBody && /^[^?#]*\/v1\/sandboxes\//.test(url);
  return isAsked && protocols.includes(headers.upgrade?.toLowerCase() ?? "");
}

/**
 * The answer to a request whose connection is to become something else: as any other where it is refused, and
 * otherwise whoever serves it takes the connection over.
 */
export class UpgradeResponse extends ServerResponse {
  readonly protocol: string;
  readonly #taken: TakenOver;

  constructor(request: IncomingMessage, head: Buffer) {
    super(request);
    const { socket } = request;
    this.protocol = request.headers.upgrade?.toLowerCase() ?? "";
    this.#taken = { socket, head };
    this.shouldKeepAlive = false;
    // Node has taken its own listeners away.
    socket.on("error", () => undefined);
    socket.setKeepAlive(true, keepAliveMs);
    this.assignSocket(socket);
    const goOn = (): void => void this.emit("drain");
    socket.on("drain", goOn);
    this.once("finish", () => {
      socket.off("drain", goOn);
      this.detachSocket(socket);
      socket.destroySoon();
    });
  }

  /** Hands the connection over; nothing is answered by this any more. */
  takeOver(): TakenOver {
    this.detachSocket(this.#taken.socket);
    return this.#taken;
  }
}

/**
 * The answer to take over where a request wants its connection to become something else.
 * @throws `permission_denied` for what a page of another origin had its browser send.
 */
export function upgradeOf({ incoming, outgoing }: HttpBindings): UpgradeResponse | undefined {
  if (!((outgoing as unknown) instanceof UpgradeResponse)) return undefined;
  const { origin, host } = incoming.headers;
  if (origin !== undefined && URL.parse(origin)?.host !== host) {
    throw new RunletError(
      "permission_denied",
      "Cannot open the connection: a page of another origin asked for it. Open it from a program, or from a page of this server",
    );
  }
  return outgoing as unknown as UpgradeResponse;
}
