import type { IncomingHttpHeaders } from "node:http";
import type { HttpBindings } from "@hono/node-server";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import type { RouterRoute } from "hono/types";
import { AccessError, RunletError } from "../domain/errors.ts";
import type { Keys } from "../domain/keys/keys.ts";
import type { Key } from "../schema/key.ts";
import { isLoopback } from "../schema/loopback.ts";
import { type Access, accessTo } from "./scopes.ts";

/** A request as far as access goes, whether it is one of HTTP or wants to become something else. */
export interface Asked {
  readonly method: string;
  /** Without the query, as routes see it. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** What the router has found for it, where it was asked already. */
  readonly routes?: readonly RouterRoute[];
}

export interface GateOptions {
  keys: Keys;
  /** Whether programs of this machine need no key. */
  isOpen: boolean;
  /** Whose routes it stands before. */
  app: () => OpenAPIHono;
}

/** Who may use a route, by method. */
type Accesses = Map<string, Access>;

const anyMethod = "ALL";

/** What handlers know of who asks. */
interface CallerEnv {
  Bindings: HttpBindings;
  Variables: { key: Key | undefined };
}

/** Says whether a request may go on to the route that answers it, before anything of its body is read. */
export class Gate {
  readonly #options: GateOptions;
  #accesses: ReadonlyMap<string, Accesses> | undefined;
  /** The last Host that was found to be this machine's own. */
  #ownHost: string | undefined;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /**
   * The key that a request brings; undefined where it needs none and brings none.
   * @throws AccessError for want of a good key, RateLimitError, `permission_denied` for what a page of somebody
   * else's had a browser send, `not_found` where no route is.
   */
  admit(asked: Asked): Key | undefined {
    const { keys, isOpen } = this.#options;
    const access = this.#accessTo(asked);
    if (access === "anybody") return undefined;
    if (isOpen) this.#requireOwn(asked.headers);
    const text = tokenIn(asked.headers.authorization);
    if (text === undefined && !isOpen) throw keyMissing();
    const key = text === undefined ? undefined : keys.use(text);
    if (access === undefined) throw noRoute(asked);
    if (key !== undefined) requireScope(key, access);
    return key;
  }

  /** Asks the very router that chooses the route, so that both take a path for the same. */
  #accessTo({ method, path, routes: found }: Asked): Access | undefined {
    const app = this.#options.app();
    const all = (this.#accesses ??= accessesOf(app));
    const routed = method === "HEAD" ? "GET" : method;
    const routes = found ?? app.router.match(routed, path)[0].map(([[, route]]) => route);
    // What stands before a route takes any method, too: it comes only after all that are for this one.
    const own = routes.find((each) => each.method === routed);
    const accesses = all.get((own ?? routes.find((each) => all.has(each.path)))?.path ?? "");
    return accesses?.get(routed) ?? accesses?.get(anyMethod);
  }

  /**
   * Where no key is asked for, any page in a browser of this machine could have requests sent here: one under a name
   * of its own that it leads here (DNS rebinding), or one that needs no answer. Only what a program sends to a loopback
   * address, or a page of this server, goes on.
   */
  #requireOwn(headers: IncomingHttpHeaders): void {
    const { host = "", origin, "sec-fetch-site": site = "none" } = headers;
    if (host !== this.#ownHost && !isLoopback(host)) {
      throw new RunletError(
        "permission_denied",
        "Cannot take the request: its Host is no loopback address, and without keys no other is taken. Start the server with RUNLET_AUTH=required",
      );
    }
    this.#ownHost = host;
    const isForeign = origin !== undefined && origin !== `http://${host}`;
    if (!isForeign && ["same-origin", "none"].includes(site)) return;
    throw new RunletError(
      "permission_denied",
      "Cannot take the request: a page of another origin had it sent, and without keys none is taken of these. Start the server with RUNLET_AUTH=required",
    );
  }
}

/** Lets on only what the gate admits, and tells handlers whose key it is. */
export function guard(gate: Gate): MiddlewareHandler<CallerEnv> {
  return async (context, next) => {
    const { method, path } = context.req;
    const { headers } = context.env.incoming;
    context.set("key", gate.admit({ method, path, headers, routes: matchedRoutes(context) }));
    await next();
  };
}

/** The key that a request came with, if any. */
export function callerOf(context: Context): Key | undefined {
  return (context as Context<CallerEnv>).get("key");
}

/** The error of a path that no route serves. */
export function noRoute({ method, path }: Pick<Asked, "method" | "path">): RunletError {
  const fact = `Cannot find ${method} ${path}. See /openapi.json for what there is`;
  return new RunletError("not_found", fact);
}

/** The text behind `Bearer`. */
function tokenIn(authorization = ""): string | undefined {
  return /^Bearer +([\x21-\x7e]+)$/i.exec(authorization)?.[1];
}

/** Who may use what, by the path of the route and by method. */
function accessesOf(app: OpenAPIHono): Map<string, Accesses> {
  const described = Map.groupBy(
    app.openAPIRegistry.definitions.flatMap((each) => (each.type === "route" ? [each.route] : [])),
    ({ path }) => path,
  );
  const found = new Map<string, Accesses>([["/openapi.json", new Map([["GET", "anybody"]])]]);
  for (const { path } of app.routes) {
    const template = path.replaceAll(/:(\w+)/g, "{$1}").replace(/\*$/, "{path}");
    const accesses: Accesses = new Map(
      (described.get(template) ?? []).map((each) => [each.method.toUpperCase(), accessTo(each)]),
    );
    if (accesses.size === 0) continue;
    const [first, ...others] = accesses.values();
    // A route that takes any method takes those too that OpenAPI has no word for.
    if (first !== undefined && others.every((each) => each === first))
      accesses.set(anyMethod, first);
    found.set(path, accesses);
  }
  return found;
}

function requireScope({ id, scopes }: Key, access: readonly string[]): void {
  if (scopes.some((scope) => scope === "admin" || access.includes(scope))) return;
  const needed = access.length === 0 ? ["admin"] : access;
  throw new AccessError(
    "permission_denied",
    `Cannot take the request: key ${id} has the scope ${scopes.join(" and ")}, and this takes ${needed.join(" or ")}. Take another key`,
    `error="insufficient_scope", scope="${needed.join(" ")}"`,
  );
}

function keyMissing(): AccessError {
  return new AccessError(
    "unauthenticated",
    "Cannot take the request: it brings no key. Send one as Authorization: Bearer KEY; the command line takes it from RUNLET_API_KEY. The first one is in admin.key of the server's data directory",
  );
}
