import type { Capture } from "../../runtime/container/stdio/capture.ts";
import type { Exit } from "../../runtime/container/exit.ts";
import type { Invocation } from "../schema/invocation.ts";
import {
  InvocationError,
  isRunletError,
  messageOf,
  RunletError,
  type ThrownError,
} from "./errors.ts";
import { hostFailureOf } from "./fault.ts";

/** What one run came to. Exactly one of an answer and a failure, or neither for a program that ended well. */
export interface Outcome {
  readonly failure?: RunletError;
  /** What the handler threw, where that is the failure. */
  readonly thrown?: ThrownError;
  /** How the container's first process ended, where it has. */
  readonly exit?: Exit;
  readonly stdout?: Capture;
  readonly stderr?: Capture;
  readonly answerBytes?: number;
  /** What has come of the event, where it was not there at the start. */
  readonly eventBytes?: number;
  readonly containerId?: string;
  readonly start?: "cold" | "pooled" | "warm";
  readonly takeUs?: number;
  readonly initUs?: number;
  readonly runUs?: number;
  /** The container's end, where it comes after the answer: soon, or at once where somebody waits for its slot. */
  readonly end?: (isUrgent: boolean) => Promise<Exit>;
}

/** The container that a run has got, and how. */
export type RunContainer = Pick<Outcome, "start" | "takeUs"> & { readonly containerId: string };

/** Told of its container before anything of the run's own happens in it. */
export type OnContainer = (container: RunContainer) => void;

/** The status that a record gets. */
export type FinalStatus = "succeeded" | "failed" | "timed_out" | "cancelled";

/** The status of an outcome. */
export function statusOf(outcome: Outcome): FinalStatus {
  if (outcome.failure === undefined) return "succeeded";
  if (outcome.failure.code === "function_timeout") return "timed_out";
  return outcome.failure.code === "cancelled" ? "cancelled" : "failed";
}

/** Anything thrown as a failure; what neither is a RunletError nor has its cause in the host is a bug of ours. */
export function asFailure(error: unknown): RunletError {
  if (isRunletError(error)) return error;
  if (error instanceof DOMException && error.name === "AbortError") {
    return new RunletError("cancelled", "Cannot go on: the caller went away");
  }
  const ofHost = hostFailureOf(error);
  if (ofHost !== undefined) return ofHost;
  return new RunletError("internal", `Cannot go on: ${messageOf(error)}`, { cause: error });
}

/** Tells whether a program ended as programs do when all is well. */
export function isSuccess(exit: Exit): boolean {
  return exit.reason === "exited" && exit.code === 0;
}

/** The failure that an exit is, for a run that should have answered or ended with 0. */
export function failureOfExit(exit: Exit, timeoutMs: number): RunletError {
  switch (exit.reason) {
    case "exited":
      return new RunletError("function_error", `Function failed: it exited with code ${exit.code}`);
    case "signaled":
      // What runsc says of itself is no end of the function.
      if (exit.message !== undefined) return containerFailure(exit);
      return new RunletError("function_error", `Function failed: it was killed by ${exit.signal}`);
    case "oom":
      return new RunletError("function_error", "Function failed: it ran out of memory");
    case "timeout":
      return new RunletError("function_timeout", `Function timed out after ${timeoutMs} ms`);
    case "cancelled":
      return new RunletError("cancelled", "Invocation was cancelled");
    case "lost":
    case "failed":
      return containerFailure(exit);
  }
}

function containerFailure({ message = "its end is not known" }: Exit): RunletError {
  return new RunletError("runtime_failed", `Cannot run the container: ${message}`);
}

/** The error that the caller of a failed invocation gets. */
export function invocationError(
  { id, traceId }: Pick<Invocation, "id" | "traceId">,
  failure: RunletError,
  { thrown, exit, logTail }: Outcome & { logTail?: string | undefined },
): InvocationError {
  return new InvocationError(failure, {
    invocationId: id,
    traceId,
    logTail,
    ...(thrown !== undefined && { thrown }),
    ...(exit !== undefined && { exit }),
  });
}
