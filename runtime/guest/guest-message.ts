import { z } from "zod";
import { RunletError } from "../errors.ts";
import {
  answerLimits,
  bodilessStatuses,
  type GuestMessage,
  headerName as headerNamePattern,
  headerValue as headerValuePattern,
  maxErrorTextLength,
  protocolVersion,
  streamLimits,
} from "./messages.ts";

const id = z.string().min(1).max(128);

const headerName = z.string().regex(headerNamePattern);
const headerValue = z.string().max(answerLimits.headerValueLength).regex(headerValuePattern);

const answerHead = {
  id,
  contentType: headerValue.min(1).max(answerLimits.contentTypeLength),
  headers: z
    .array(z.tuple([headerName, headerValue]))
    .max(answerLimits.headers)
    .optional(),
};
const status = z.number().int().min(200).max(599);

const markLength = 64;
const errorText = z.string().max(maxErrorTextLength + markLength);
const guestError = z.object({
  name: z.string().max(256),
  message: errorText,
  stack: errorText.optional(),
});

const guestMessage: z.ZodType<GuestMessage> = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("hello"),
    protocol: z.literal(protocolVersion),
    runtime: z.enum(["node", "python", "provided"]),
    runtimeVersion: z.string().max(64),
  }),
  z.object({ type: z.literal("warmed") }),
  z.object({ type: z.literal("loaded"), loadUs: z.number().int().nonnegative() }),
  z.object({ type: z.literal("load_error"), error: guestError }),
  z.object({ type: z.literal("result"), ...answerHead, status: status.optional() }),
  z.object({
    type: z.literal("start"),
    ...answerHead,
    status: status.refine((code) => !bodilessStatuses.has(code)).optional(),
  }),
  z.object({ type: z.literal("chunk"), id }),
  z.object({ type: z.literal("end"), id }),
  z.object({ type: z.literal("error"), id, error: guestError }),
  z.object({
    type: z.literal("credit"),
    id,
    bytes: z.number().int().positive().max(streamLimits.windowBytes),
  }),
  z.object({ type: z.literal("whole"), id }),
]);

/**
 * Takes a frame's header as a message of the guest, which nobody trusts.
 * @throws `protocol_violation` if it is none.
 */
export function parseGuestMessage(header: unknown, bodyBytes: number): GuestMessage {
  const parsed = guestMessage.safeParse(header);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw violation(`${issue?.path.join(".") || "header"}: ${issue?.message ?? "is unknown"}`);
  }
  if (!isBodyOf(parsed.data.type, bodyBytes)) {
    throw violation(`${parsed.data.type} comes with a body of ${bodyBytes} bytes`);
  }
  return parsed.data;
}

function isBodyOf(type: GuestMessage["type"], bodyBytes: number): boolean {
  if (type === "result") return true;
  return type === "chunk" ? bodyBytes > 0 && bodyBytes <= streamLimits.chunkBytes : bodyBytes === 0;
}

function violation(fact: string): RunletError {
  return new RunletError("protocol_violation", `Cannot accept message of guest: ${fact}`);
}
