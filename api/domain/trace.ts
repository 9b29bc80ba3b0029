import { spanIdOf, traceIdOf } from "../../store/trace-id.ts";

/** The trace that a call is part of, as its caller named it. */
export interface Trace {
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** Whether it is one of those that are recorded. */
  readonly isSampled: boolean;
}

/** A trace with the span of it that a call came from. */
export interface ParentSpan extends Trace {
  /** 16 hexadecimal digits. */
  readonly spanId: string;
}

/**
 * What a W3C `traceparent` says; undefined for what is none. Versions to come may add fields behind those of today.
 */
export function parentSpanOf(header: string | undefined): ParentSpan | undefined {
  const [, version, id = "", spanId = "", flags = "", more] =
    header === undefined ? [] : (format.exec(header) ?? []);
  if (version === undefined || version === "ff" || (version === "00" && more !== ""))
    return undefined;
  if (id === zeroTrace || spanId === zeroParent) return undefined;
  return { id, spanId, isSampled: (Number.parseInt(flags, 16) & sampledFlag) !== 0 };
}

/** The `traceparent` of what an invocation calls: the span that it names has the last half of its id. */
export function traceparentOf(
  invocationId: string,
  { id, isSampled }: Trace = { id: traceIdOf(invocationId), isSampled: true },
): string {
  return headerOf(spanIdOf(invocationId), { id, isSampled });
}

/** The `traceparent` of what a span calls. */
export function headerOf(spanId: string, { id, isSampled }: Trace): string {
  return `00-${id}-${spanId}-${isSampled ? "01" : "00"}`;
}

const format = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(|-.*)$/;
const zeroTrace = "0".repeat(32);
const zeroParent = "0".repeat(16);
const sampledFlag = 1;
