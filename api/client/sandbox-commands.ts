import type {
  CommandEvent,
  CommandQuery,
  CommandResult,
  CommandSpecInput,
  SandboxCommand,
} from "../schema/sandbox-command.ts";
import { quickTimeoutMs } from "./connection.ts";
import { follow, type FollowOptions } from "./follow.ts";
import { Methods, type Page } from "./methods.ts";
import { asJson, pathOf } from "./request.ts";

/** What a client does with the commands of a sandbox. */
export class SandboxCommandMethods extends Methods {
  /** Runs a command and waits until it has ended. */
  async runCommand(
    sandboxId: string,
    spec: CommandSpecInput,
    signal?: AbortSignal,
  ): Promise<CommandResult> {
    return await this.connection.ask(pathOf("sandboxes", sandboxId, "commands"), {
      ...asJson("POST", spec),
      signal,
    });
  }

  /** Runs a command and tells of its start, its output and its end as they come. */
  streamCommand(
    sandboxId: string,
    spec: CommandSpecInput,
    options: FollowOptions = {},
  ): AsyncGenerator<CommandEvent> {
    const request = asJson("POST", spec, { accept: "text/event-stream" });
    return follow(this.connection, pathOf("sandboxes", sandboxId, "commands"), options, request);
  }

  /** Starts a command that goes on beyond the request. */
  async startCommand(sandboxId: string, spec: CommandSpecInput): Promise<SandboxCommand> {
    return await this.connection.ask(pathOf("sandboxes", sandboxId, "commands"), {
      ...asJson("POST", { ...spec, background: true }),
      timeoutMs: quickTimeoutMs,
    });
  }

  /** A page of the commands of a sandbox, the newest first. */
  async commands(sandboxId: string, query: CommandQuery = {}): Promise<Page<SandboxCommand>> {
    return await this.connection.get(pathOf("sandboxes", sandboxId, "commands"), query);
  }

  /** One command, running or ended. */
  async command(sandboxId: string, id: string): Promise<SandboxCommand> {
    return await this.connection.get(pathOf("sandboxes", sandboxId, "commands", id));
  }

  /** Tells of what a command wrote, as far as it is kept, and of what it goes on to write. */
  followCommand(
    sandboxId: string,
    id: string,
    options: FollowOptions = {},
  ): AsyncGenerator<CommandEvent> {
    const path = pathOf("sandboxes", sandboxId, "commands", id, "output");
    return follow(this.connection, path, options);
  }

  /** Sends input to a command, and waits until it has taken it. */
  async writeInput(sandboxId: string, id: string, body: string | Uint8Array): Promise<void> {
    await this.connection.send(pathOf("sandboxes", sandboxId, "commands", id, "stdin"), {
      method: "POST",
      body,
      headers: { "content-type": "application/octet-stream" },
    });
  }

  /** Tells a command that there is no more input. */
  async closeInput(sandboxId: string, id: string): Promise<void> {
    await this.connection.delete(pathOf("sandboxes", sandboxId, "commands", id, "stdin"));
  }

  /** Sends a signal, by name, to a command and to all of its session. */
  async signalCommand(sandboxId: string, id: string, signal: string): Promise<void> {
    await this.connection.send(pathOf("sandboxes", sandboxId, "commands", id, "signal"), {
      ...asJson("POST", { signal }),
      timeoutMs: quickTimeoutMs,
    });
  }

  /** Sets the size of a command's terminal. */
  async resizeTerminal(
    sandboxId: string,
    id: string,
    size: { cols: number; rows: number },
  ): Promise<void> {
    await this.connection.send(pathOf("sandboxes", sandboxId, "commands", id, "terminal"), {
      ...asJson("PUT", size),
      timeoutMs: quickTimeoutMs,
    });
  }
}
