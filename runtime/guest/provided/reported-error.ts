import type { Buffer } from "node:buffer";
import { namedError } from "./named-error.ts";

/** The types that Lambda keeps of those that come in a header. */
const knownType = /^(?:Runtime|Function)\.[A-Z][a-zA-Z]+$/;

export interface Report {
  /** The header that names the error's type. */
  type: string | undefined;
  /** `{errorType, errorMessage, stackTrace}` as JSON, where node's client says `trace`, or anything else. */
  body: Buffer;
  /** The type of an error that has none. */
  fallback: "Runtime.Unknown" | "Function.Unknown";
}

/** A failure as the program reports it. The body comes first: clients put the exception's own name there. */
export function reportedError({ type, body, fallback }: Report): Error {
  const { errorType, errorMessage, trace, stackTrace = trace } = fieldsOf(body);
  const known = type !== undefined && knownType.test(type) ? type : fallback;
  const message = textOf(errorMessage) ?? body.toString("utf8");
  const stack = Array.isArray(stackTrace) ? stackTrace.map(String).join("\n") : "";
  return namedError(textOf(errorType) ?? known, message, stack);
}

function fieldsOf(body: Buffer): Record<string, unknown> {
  try {
    return Object(JSON.parse(body.toString("utf8"))) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
