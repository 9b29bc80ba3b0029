import type { CommandSpecInput, SandboxCommand } from "../schema/sandbox-command.ts";
import { quickTimeoutMs } from "./connection.ts";
import { Methods } from "./methods.ts";
import { asJson, pathOf } from "./request.ts";
import { Terminal } from "./terminal.ts";

/** What is to run on a terminal: a shell unless it says something else. */
export type TerminalSpec = Omit<CommandSpecInput, "background" | "stdin" | "hasStdin">;

const shell = ["/bin/sh", "-c", 'exec "$(command -v bash || command -v sh)"'];
const usualSize = { cols: 80, rows: 24 };

/** What a client does with terminals in a sandbox. */
export class SandboxTerminalMethods extends Methods {
  /** Starts a command on a terminal, which goes on when nobody looks at it, and looks at it. */
  async openTerminal(sandboxId: string, spec: TerminalSpec = {}): Promise<Terminal> {
    const program = spec.command === undefined && spec.args === undefined ? { args: shell } : {};
    const whole = { terminal: usualSize, ...program, ...spec, background: true };
    const { id } = await this.connection.ask<SandboxCommand>(
      pathOf("sandboxes", sandboxId, "commands"),
      { ...asJson("POST", whole), timeoutMs: quickTimeoutMs },
    );
    return await this.attachTerminal(sandboxId, id);
  }

  /** Looks at the terminal of a command: what it wrote of late, then what it goes on to write. */
  async attachTerminal(sandboxId: string, commandId: string): Promise<Terminal> {
    const path = pathOf("sandboxes", sandboxId, "commands", commandId, "terminal");
    return await Terminal.open(this.connection, path, commandId);
  }
}
