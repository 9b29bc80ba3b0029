import type { Problem } from "../schema/problem.ts";
import { type ChangeOptions, conditionHeaders } from "./condition.ts";
import { ApiError, ConnectionError } from "./errors.ts";
import { baseOf, type Query, withQuery } from "./request.ts";
import { send, type SendOptions } from "./send.ts";
import type { ServerResponse } from "./server-response.ts";

export interface ClientOptions {
  /** Base of the server, such as http://127.0.0.1:7070. */
  url: string;
  /** The key that each request brings; none for a server that asks for none. */
  apiKey?: string | undefined;
  /** Ends whatever this client waits for. */
  signal?: AbortSignal | undefined;
}

/** How long anything but a run, a deployment or an upload may take. */
export const quickTimeoutMs = 30_000;

/** Sends requests to one server and reads its answers; every method throws ApiError or ConnectionError. */
export class Connection {
  /** Where the server is, without a path. */
  readonly origin: string;
  readonly #prefix: string;
  readonly #signal: AbortSignal | undefined;
  /** What every request brings. */
  readonly headers: Readonly<Record<string, string>>;

  /** @throws ConnectionError if the URL is none. */
  constructor(options: ClientOptions) {
    const base = baseOf(options.url);
    this.origin = base.origin;
    this.#prefix = base.pathname.replace(/\/+$/, "");
    this.#signal = options.signal;
    const { apiKey } = options;
    this.headers = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  }

  /** What a path answers as JSON. */
  async get<T>(path: string, query: Query = {}): Promise<T> {
    return await this.ask(withQuery(path, query), { method: "GET", timeoutMs: quickTimeoutMs });
  }

  /** What a request is answered with as JSON. */
  async ask<T>(path: string, options: SendOptions): Promise<T> {
    return await this.read(await this.send(path, options));
  }

  /** Deletes what a path names. */
  async delete(path: string, change: ChangeOptions = {}): Promise<void> {
    const headers = conditionHeaders(change);
    await this.send(path, { method: "DELETE", headers, timeoutMs: quickTimeoutMs });
  }

  /** The JSON of an answer. */
  async read<T>(response: ServerResponse): Promise<T> {
    const text = await this.body(response.text());
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw this.#foreign(response, cause);
    }
  }

  /** Sends a request and answers once the head of a good answer is there. */
  async send(path: string, options: SendOptions): Promise<ServerResponse> {
    const signal = eitherOf(this.#signal, options.signal);
    const headers = { ...this.headers, ...options.headers };
    return await this.checked(
      await send(this.origin, this.#prefix + path, { ...options, headers, signal }),
    );
  }

  /** An answer, if it is a good one. @throws ApiError, ConnectionError. */
  async checked(response: ServerResponse): Promise<ServerResponse> {
    // A function's own answer has a start kind, and may be of any status and type.
    if (response.ok || response.headers.has("runlet-start")) return response;
    if (!response.headers.get("content-type")?.startsWith("application/problem+json")) {
      await response.cancel();
      throw this.#foreign(response);
    }
    throw new ApiError(await this.read<Problem>(response), response.headers);
  }

  /** A server that ends in the middle of its answer has not answered. */
  async body<T>(body: Promise<T>): Promise<T> {
    try {
      return await body;
    } catch (cause) {
      this.#signal?.throwIfAborted();
      throw new ConnectionError(
        `Cannot get an answer from Runlet at ${this.origin}: it ended early`,
        { cause },
      );
    }
  }

  /** Where a path is. */
  url(path: string): URL {
    return new URL(this.origin + this.#prefix + path);
  }

  #foreign(response: ServerResponse, cause?: unknown): ConnectionError {
    return new ConnectionError(
      `Cannot reach Runlet at ${this.origin}: what answered there (status ${response.status}) is no Runlet. Name another with --url or RUNLET_URL`,
      { cause },
    );
  }
}

/** A signal that aborts with the first of two, of which either may be missing. */
function eitherOf(
  one: AbortSignal | undefined,
  other: AbortSignal | undefined,
): AbortSignal | undefined {
  return one && other ? AbortSignal.any([one, other]) : (one ?? other);
}
