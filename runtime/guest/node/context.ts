import type { InvokeMessage, LoadMessage } from "../messages.ts";

const { now } = Date;

/** What a handler is told about its invocation, under Runlet's names and AWS Lambda's. */
export interface Context {
  readonly invocationId: string;
  readonly awsRequestId: string;
  /** W3C trace context for further calls. */
  readonly traceparent: string | undefined;
  /** The trace's id in it, 32 hexadecimal digits. */
  readonly traceId: string | undefined;
  readonly functionName: string;
  readonly functionVersion: string;
  readonly memoryLimitInMB: number;
  readonly memoryLimitBytes: number;
  /** Milliseconds since the epoch. */
  readonly deadlineAtMs: number;
  /** Milliseconds until the deadline, never below 0. */
  getRemainingTimeInMillis(): number;
}

/** Makes the context of one invocation. */
export function makeContext(load: LoadMessage, invoke: InvokeMessage): Context {
  return {
    invocationId: invoke.id,
    awsRequestId: invoke.id,
    traceparent: invoke.traceparent,
    traceId: invoke.traceparent?.slice(3, 35),
    functionName: load.functionName,
    functionVersion: load.functionVersion,
    memoryLimitInMB: Math.floor(load.memoryBytes / (1024 * 1024)),
    memoryLimitBytes: load.memoryBytes,
    deadlineAtMs: invoke.deadlineAtMs,
    getRemainingTimeInMillis: () => Math.max(0, invoke.deadlineAtMs - now()),
  };
}
