import type { InvokeMessage, LoadMessage } from "../messages.ts";

const { now } = Date;

/** What a handler is told about its invocation, under Runlet's names and AWS Lambda's. */
export interface Context {
  readonly invocationId: string;
  readonly awsRequestId: string;
  /** 32 hexadecimal digits, for the `traceparent` of further calls. */
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
    traceId: invoke.traceId,
    functionName: load.functionName,
    functionVersion: load.functionVersion,
    memoryLimitInMB: Math.floor(load.memoryBytes / (1024 * 1024)),
    memoryLimitBytes: load.memoryBytes,
    deadlineAtMs: invoke.deadlineAtMs,
    getRemainingTimeInMillis: () => Math.max(0, invoke.deadlineAtMs - now()),
  };
}
