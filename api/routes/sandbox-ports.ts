import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { RunletError } from "../domain/errors.ts";
import type { Sandboxes } from "../domain/sandboxes/sandboxes.ts";
import { portParams } from "../schema/sandbox-port.ts";
import { anything, describeAnyMethod } from "./any-method.ts";
import { exchange, join } from "./guest-exchange.ts";
import { headersForGuest, refuseServiceWorker } from "./guest-headers.ts";
import { problemAnswers } from "./problem-answers.ts";
import { validationProblem } from "./problem.ts";
import type { NodeEnv } from "./respond.ts";
import { upgradeOf } from "./upgrade.ts";

export interface SandboxPortsOptions {
  sandboxes: Sandboxes;
  /** Whether the server is about to end. */
  isClosing: () => boolean;
}

/** `/v1/sandboxes/{id}/ports/{port}`: HTTP as it comes, to servers inside that have no network. */
export function sandboxPortRoutes(options: SandboxPortsOptions): OpenAPIHono<NodeEnv> {
  const router = new OpenAPIHono<NodeEnv>();
  const serve = async (context: Context<NodeEnv>): Promise<Response> => {
    const { prefix, rest, query, ...named } = partsOf(context.env.incoming.url ?? "");
    const params = portParams.safeParse(named);
    if (!params.success) return validationProblem(params.error, context);
    await pass(context, options, { ...params.data, prefix, rest, query });
    return RESPONSE_ALREADY_SENT;
  };
  for (const path of ["/:id/ports/:port", "/:id/ports/:port/*"]) router.all(path, serve);
  describe(router);
  return router;
}

interface Target {
  readonly id: string;
  readonly port: number;
  /** What of the path is not the guest's. */
  readonly prefix: string;
  /** What is behind the port, from a slash on or nothing. */
  readonly rest: string;
  readonly query: string;
}

async function pass(
  { env, req }: Context<NodeEnv>,
  { sandboxes, isClosing }: SandboxPortsOptions,
  { id, port, prefix, rest, query }: Target,
): Promise<void> {
  const { incoming, outgoing } = env;
  refuseServiceWorker(incoming);
  const upgrade = upgradeOf(env);
  const sandbox = sandboxes.find(id);
  const connection = await sandbox.connect(port, req.raw.signal);
  if (upgrade?.protocol === "tcp") {
    if (rest === "") return await join(upgrade, connection);
    connection.destroy();
    throw new RunletError(
      "invalid_argument",
      "Cannot upgrade to tcp: that is for the port itself, without a path behind it",
    );
  }
  const protocol = new URL(req.raw.url).protocol.slice(0, -1);
  // Cookies of a browser are those of all servers on this host, and none of them is the guest's.
  const headers = headersForGuest(incoming, { protocol, prefix }).filter(
    ([name]) => name !== "cookie",
  );
  // Somebody waits for an answer; of what has become something else, only what moves counts.
  using _busy = upgrade === undefined ? sandbox.activity.begin() : undefined;
  if (isClosing()) outgoing.shouldKeepAlive = false;
  await exchange(connection, { incoming, path: (rest || "/") + query, headers }, outgoing);
}

/** The parts of a path as it was sent: the guest's own part is passed on as it is. @throws `not_found`. */
function partsOf(
  url: string,
): Pick<Target, "prefix" | "rest" | "query"> & { id: string; port: string } {
  const found =
    /^(?:[a-z]+:\/\/[^/?#]*)?(?<prefix>\/v1\/sandboxes\/(?<id>[^/?#]+)\/ports\/(?<port>[^/?#]+))(?<rest>\/[^?#]*)?(?<query>\?[^#]*)?/i.exec(
      url,
    )?.groups;
  // The router has tidied what leads here by another way.
  if (found === undefined) {
    throw new RunletError("not_found", "Cannot find a port: its path is not written as it is");
  }
  const { prefix = "", id = "", port = "", rest = "", query = "" } = found;
  return { prefix, id, port, rest, query };
}

function describe(router: OpenAPIHono<NodeEnv>): void {
  const path = z.string().openapi({
    param: { name: "path", in: "path" },
    description: "The path that the server inside sees",
    example: "users/7",
  });
  describeAnyMethod(router, {
    tag: "sandbox ports",
    summary: "Have a server inside a sandbox answer an HTTP request or a WebSocket",
    description:
      "Method, path, query, headers and body go to the port of the sandbox's loopback as they come, and so does its answer; of headers, cookies and keys do not pass, nor what would speak for the whole origin. With `Upgrade: websocket` the connection is one to that server. With `Upgrade: tcp`, and no path behind the port, it is one to the port itself, whatever that speaks.",
    responses: {
      200: { description: "What the server inside answers", content: anything("Hello, Ada") },
      101: { description: "The connection is one to the server inside" },
      ...problemAnswers(
        "invalid_argument",
        "permission_denied",
        "not_found",
        "failed_precondition",
        "port_failed",
        "unavailable",
        "deadline_exceeded",
      ),
    },
    paths: [
      { path: "/{id}/ports/{port}", id: "SandboxPort", params: portParams },
      {
        path: "/{id}/ports/{port}/{path}",
        id: "SandboxPortPath",
        params: portParams.extend({ path }),
      },
    ],
  });
}
