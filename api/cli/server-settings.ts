import { type Command, InvalidArgumentError } from "commander";
import { given, wholeNumber } from "./options.ts";

/** What is typed for a server, before it is checked. */
export interface ServerSettings {
  config?: string;
  host?: string;
  port?: number;
  dataDir?: string;
  set?: Record<string, string>;
}

/** Gives a command the settings of a server. */
export function withServerSettings<T extends Command>(command: T): T {
  return command
    .option("--config <file>", "JSON file with settings (RUNLET_CONFIG)")
    .option("--host <address>", "address to listen on (RUNLET_HOST; 127.0.0.1)")
    .option("--port <port>", "port to listen on (RUNLET_PORT; 7070)", wholeNumber)
    .option("--data-dir <path>", "where the record, code and images are kept (RUNLET_DATA_DIR)")
    .option("--set <key=value>", "any setting by its key in the file, repeatable", settingEntry);
}

/** What was typed, by the key of each setting, with the place to name. */
export function flagsOf(
  settings: ServerSettings,
): Record<string, { readonly text: string; readonly place: string }> {
  const { config, host, port, dataDir, set = {} } = settings;
  const typed: Record<string, string> = given({ config, host, port: port?.toString(), dataDir });
  return Object.fromEntries([
    ...Object.entries(set).map(([key, text]) => [key, { text, place: `--set ${key}` }]),
    ...Object.entries(typed).map(([key, text]) => [key, { text, place: flagOf(key) }]),
  ]) as ReturnType<typeof flagsOf>;
}

function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function settingEntry(text: string, previous: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Expected key=value.");
  return { ...previous, [text.slice(0, at)]: text.slice(at + 1) };
}
