import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { RunletError } from "../domain/errors.ts";
import { CommandFollower } from "../domain/sandboxes/command-follower.ts";
import type { Commands } from "../domain/sandboxes/commands.ts";
import type { Sandboxes } from "../domain/sandboxes/sandboxes.ts";
import { sandboxId } from "../schema/sandbox.ts";
import { commandId } from "../schema/sandbox-command.ts";
import { createRouter } from "./openapi.ts";
import { problemAnswers } from "./problem-answers.ts";
import type { NodeEnv } from "./respond.ts";
import { serveTerminal } from "./terminal-socket.ts";
import { upgradeOf } from "./upgrade.ts";

const open = createRoute({
  method: "get",
  path: "/{id}/commands/{commandId}/terminal",
  operationId: "openTerminal",
  tags: ["sandbox commands"],
  summary: "Open a command's terminal as a WebSocket, which any number of viewers may do",
  description:
    'Binary messages are bytes: to the command what is typed, from it the last megabyte that it wrote, then what it goes on to write. Text messages are JSON: to the command `{"type": "resize", "cols": 80, "rows": 24}`, from it the events of `SandboxCommandEvent` but for `output`. The connection ends after `exit` or `gone`. A viewer that goes away ends nothing, and may come back.',
  request: { params: z.object({ id: sandboxId, commandId }) },
  responses: {
    101: { description: "The connection is the terminal" },
    ...problemAnswers("invalid_argument", "permission_denied", "not_found", "failed_precondition"),
  },
});

/** `/v1/sandboxes/{id}/commands/{commandId}/terminal`, for who looks at it. */
export function sandboxTerminalRoutes(
  sandboxes: Sandboxes,
  commands: Commands,
): OpenAPIHono<NodeEnv> {
  return createRouter<NodeEnv>().openapi(open, async (context) => {
    const { id, commandId: of } = context.req.valid("param");
    const upgrade = upgradeOf(context.env);
    if (upgrade?.protocol !== "websocket") {
      throw new RunletError(
        "invalid_argument",
        "Cannot open the terminal: it is a WebSocket, and the request does not ask for one",
      );
    }
    if (!commands.get(id, of).hasTerminal) {
      throw new RunletError(
        "failed_precondition",
        `Cannot open the terminal of command ${of}: it has none. Start it with one`,
      );
    }
    const started = await commands.attach(id, of);
    const { activity } = sandboxes.find(id);
    await serveTerminal(upgrade, context.env.incoming, {
      follower: new CommandFollower(started, activity, () => started.view.detach()),
      input: {
        write: async (body, signal) => await commands.write(id, of, body, signal),
        resize: async ({ cols, rows }) => await commands.resize(id, of, { cols, rows }),
      },
    });
    return RESPONSE_ALREADY_SENT;
  });
}
