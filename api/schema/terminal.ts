import { z } from "@hono/zod-openapi";
import { terminalSize } from "./sandbox-command.ts";

/** What a viewer of a terminal says beside what is typed. */
export const terminalMessage = terminalSize.extend({ type: z.literal("resize") }).strict();

export type TerminalMessage = z.infer<typeof terminalMessage>;
