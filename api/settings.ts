import { readFileSync } from "node:fs";
import { RunletError } from "../runtime/errors.ts";

/** What a setting is to be, as text, and where that stands: a flag, a variable, or a file with its key. */
export interface Setting {
  readonly text: string;
  readonly place: string;
  readonly source: "flag" | "environment" | "file";
}

/** Flags by the key of their setting. */
export type Flags = Readonly<Record<string, Pick<Setting, "text" | "place">>>;

/** The variable that names the file. */
const fileVariable = "RUNLET_CONFIG";

/** Variables of the commands that talk to a server. */
const clientVariables = ["RUNLET_URL", "RUNLET_API_KEY"];

/** The key that a variable's setting has in a file: `RUNLET_QUEUE_LIMIT` is `queueLimit`. */
export function keyOf(variable: string): string {
  return variable
    .slice("RUNLET_".length)
    .toLowerCase()
    .replace(/_(\w)/g, (_match, letter: string) => letter.toUpperCase());
}

/**
 * Collects what is set, by variable: a flag goes before a variable, and that before the file. Empty is as if it
 * were not set. @throws `invalid_argument` naming each place where something stands that is no setting.
 */
export function gatherSettings(
  variables: readonly string[],
  env: NodeJS.ProcessEnv,
  flags: Flags,
): ReadonlyMap<string, Setting> {
  const byKey = new Map(variables.map((variable) => [keyOf(variable), variable]));
  const unknown = Object.entries(flags)
    .filter(([key]) => !byKey.has(key))
    .map(([, { place }]) => `${place}: there is no such setting`);
  const path = flags[keyOf(fileVariable)]?.text || env[fileVariable];
  byKey.delete(keyOf(fileVariable));
  const file = path ? readSettingsFile(path) : {};
  for (const key of Object.keys(file)) {
    if (!byKey.has(key)) unknown.push(`${path}:${key}: there is no such setting`);
  }
  if (unknown.length > 0) {
    throw refuse([...unknown, `settings are ${[...byKey.keys()].join(", ")}`]);
  }
  const found = new Map<string, Setting>();
  for (const variable of variables) {
    const key = keyOf(variable);
    const flag = flags[key];
    const value = Object.hasOwn(file, key) ? file[key] : undefined;
    if (flag?.text) found.set(variable, { ...flag, source: "flag" });
    else if (env[variable]) {
      found.set(variable, { text: env[variable], place: variable, source: "environment" });
    } else if (value !== undefined) {
      const place = `${path}:${key}`;
      const text = textOf(value, place);
      if (text !== "") found.set(variable, { text, place, source: "file" });
    }
  }
  return found;
}

/** Variables that look like settings and are none: a name with a mistake in it would be passed over in silence. */
export function unknownVariables(
  variables: readonly string[],
  env: NodeJS.ProcessEnv,
): readonly string[] {
  const known = new Set([...variables, ...clientVariables]);
  return Object.keys(env).filter((name) => name.startsWith("RUNLET_") && !known.has(name));
}

/** An error that names what is wrong with the configuration. */
export function refuse(findings: readonly string[]): RunletError {
  return new RunletError(
    "invalid_argument",
    `Cannot use the configuration: ${[...new Set(findings)].join("; ")}`,
  );
}

function readSettingsFile(path: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw refuse([`${path}: cannot be read: ${(error as NodeJS.ErrnoException).code}`]);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    // The message itself would quote the file, which may hold a password.
    const [at = "somewhere"] = /at position \d+.*$/.exec((error as Error).message) ?? [];
    throw refuse([`${path}: it is no JSON (${at})`]);
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw refuse([`${path}: expected an object with a key for each setting`]);
  }
  return content as Record<string, unknown>;
}

/** A value of the file as a variable would have it. */
function textOf(value: unknown, place: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) {
    return value.join(",");
  }
  throw refuse([`${place}: expected text, a number, true, false, or a list of texts`]);
}
