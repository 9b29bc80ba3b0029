import type { Timeline } from "../../runtime/clock.ts";
import type { Exit } from "../../runtime/container/exit.ts";
import { cutMark } from "../../runtime/container/stdio/capture.ts";
import type {
  InvocationPatch,
  InvocationRow,
  InvocationSummary,
} from "../../store/invocation-row.ts";
import { traceIdOf } from "../../store/trace-id.ts";
import type { Invocation, InvocationDetail } from "../schema/invocation.ts";
import type { RunletError, ThrownError } from "./errors.ts";
import { withoutNulls } from "./nulls.ts";
import { type Outcome, statusOf } from "./outcome.ts";

/** What an outcome changes in its record. */
export function outcomePatch(
  outcome: Outcome,
  timeline: Timeline,
): Omit<InvocationPatch, "finishedAtUs"> & { readonly finishedAtUs: number } {
  const { failure, thrown, exit, stdout, stderr, containerId, start, takeUs } = outcome;
  return {
    status: statusOf(outcome),
    // Where an outcome does not tell of its container, what was known before stays.
    ...(start !== undefined && { startKind: start }),
    ...(containerId !== undefined && { containerId }),
    ...(takeUs !== undefined && { takeUs }),
    initUs: outcome.initUs ?? null,
    runUs: outcome.runUs ?? null,
    answerBytes: outcome.answerBytes ?? null,
    ...(outcome.eventBytes !== undefined && { eventBytes: outcome.eventBytes }),
    ...(exit && exitPatch(exit, timeline)),
    ...(failure && failurePatch(failure, thrown)),
    ...(stdout && {
      stdout: stdout.toBuffer(),
      stdoutBytes: stdout.totalBytes,
      stdoutTruncated: stdout.truncated,
    }),
    ...(stderr && {
      stderr: stderr.toBuffer(),
      stderrBytes: stderr.totalBytes,
      stderrTruncated: stderr.truncated,
    }),
    finishedAtUs: timeline.nowUs(),
  };
}

function failurePatch(failure: RunletError, thrown: ThrownError | undefined): InvocationPatch {
  return {
    errorCode: failure.code,
    errorName: thrown?.name ?? null,
    errorMessage: thrown?.message ?? failure.message,
    errorStack: thrown?.stack ?? null,
  };
}

/** What the end of a container changes in the record of the invocation that it was for. */
export function exitPatch(exit: Exit, timeline: Timeline): InvocationPatch {
  return {
    exitCode: exit.code,
    exitSignal: exit.signal ?? null,
    exitReason: exit.reason,
    exitedAtUs: Math.round(timeline.at(exit.atMs)),
  };
}

/** A record as callers see it. */
export function toInvocation(row: InvocationSummary): Invocation {
  const { errorCode, errorName, errorMessage, errorStack, startKind, runtime, image, ...rest } =
    row;
  return {
    ...withoutNulls(rest),
    traceId: rest.traceId ?? traceIdOf(rest.id),
    runtime: runtime ?? "",
    image: image ?? "",
    ...(startKind !== null && { start: startKind }),
    ...(errorCode !== null && {
      error: {
        code: errorCode,
        message: errorMessage ?? "",
        ...(errorName !== null && { name: errorName }),
        ...(errorStack !== null && { stack: errorStack }),
      },
    }),
  };
}

/** A record with its output as callers see it; output that was cut says so at its end. */
export function toInvocationDetail(row: InvocationRow): InvocationDetail {
  const { stdout, stderr, ...summary } = row;
  return {
    ...toInvocation(summary),
    stdout: outputText(stdout, row.stdoutBytes),
    stderr: outputText(stderr, row.stderrBytes),
  };
}

function outputText(kept: Uint8Array | null, totalBytes: number): string {
  const bytes = kept ?? new Uint8Array();
  const droppedBytes = totalBytes - bytes.byteLength;
  const text = new TextDecoder().decode(bytes, { stream: droppedBytes > 0 });
  return droppedBytes > 0 ? text + cutMark(droppedBytes) : text;
}
