import { styleText } from "node:util";
import { type Command, CommanderError } from "commander";
import { ApiError, ConnectionError } from "../client/errors.ts";
import { printable } from "./terminal.ts";

/** What was typed cannot be meant. */
class CommandLineError extends Error {
  override readonly name = "CommandLineError";
  readonly code = "command_line";
  readonly command: Command;

  constructor(command: Command, message: string) {
    super(message);
    this.command = command;
  }
}

/** Makes `command` and all below it throw {@link CommandLineError} where commander would print and exit. */
export function throwCommandLineErrors(command: Command): void {
  command.configureOutput({ outputError: () => {} }).exitOverride((error) => {
    if (error.exitCode === 0 || error.code === "commander.help") throw error;
    throw new CommandLineError(command, error.message.replace(/^error: /, ""));
  });
  for (const each of command.commands) throwCommandLineErrors(each);
}

/** Tells an error on stderr with what to do next: as JSON with `code` and `detail`, or for people. */
export function reportError(error: unknown, { isJson }: { isJson: boolean }): void {
  // Help and version have been printed.
  if (error instanceof CommanderError) return;
  // A wrong command line was not read to its end.
  if (isJson || (error instanceof CommandLineError && process.argv.includes("--json"))) {
    process.stderr.write(`${JSON.stringify(asJson(error), undefined, 2)}\n`);
    return;
  }
  const mark = styleText("red", "error", { stream: process.stderr });
  const text = [messageOf(error), ...advice(error)].join("\n");
  process.stderr.write(`${mark}: ${printable(text, process.stderr)}\n`);
}

/** The exit code for an error of a command; see the help of `runlet`. */
export function exitCodeOf(error: unknown, active: Command): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const command = error instanceof CommandLineError ? error.command : active;
  // As docker run and timeout(1) have it, so that it is told apart from the script's own.
  if (["run", "exec", "shell"].includes(command.name())) return 125;
  if (error instanceof CommandLineError) return 2;
  return error instanceof ConnectionError ? 3 : 1;
}

function asJson(error: unknown): object {
  if (error instanceof ApiError) return error.problem;
  const code = (error as { code?: unknown } | undefined)?.code;
  return { code: typeof code === "string" ? code : "failed", detail: messageOf(error) };
}

function messageOf(error: unknown): string {
  // The code belongs to the first line: a stack may follow.
  if (error instanceof ApiError) return error.message.replace(/\n|$/, ` (${error.code})$&`);
  return error instanceof Error ? error.message : String(error);
}

function advice(error: unknown): string[] {
  if (error instanceof CommandLineError) return [`See: ${pathOf(error.command)} --help`];
  if (!(error instanceof ApiError)) return [];
  const { functionError, invocationId } = error.problem;
  return [
    ...(functionError?.stack ? [functionError.stack] : []),
    ...(invocationId ? [`See what it printed: runlet logs ${invocationId}`] : []),
  ];
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}
