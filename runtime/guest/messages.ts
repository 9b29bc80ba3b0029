import type { GuestRuntime } from "./program.ts";

/** The version of the channel protocol that both sides speak. */
export const protocolVersion = 1;

/** The bound of a guest's header: the host parses it in one go on its event loop. */
export const maxGuestHeaderBytes = 1024 * 1024;

/** Bounds of what a `result` says about an HTTP answer. */
export const answerLimits = { headers: 512, headerValueLength: 16 * 1024, contentTypeLength: 1024 };

/** Statuses that HTTP lets no body follow. */
export const bodilessStatuses: ReadonlySet<number> = new Set([204, 205, 304]);

/** What lands in an HTTP answer must not be able to end a header early. */
export const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
export const headerValue = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

/**
 * Bounds of an answer, or of an event, that comes piece by piece. The window is four chunks: one for each place that a chunk
 * may wait in on its way, so that guest, host and network work at once, and little enough that a thousand slow
 * readers cost 256 MiB. A chunk costs more than its bytes, so that a flood of tiny ones is held back as well.
 */
export const streamLimits = {
  windowBytes: 256 * 1024,
  chunkBytes: 64 * 1024,
  chunkCostBytes: 256,
};

/** Longest message or stack of an error in UTF-16 units, without the mark that stands for what was cut. */
export const maxErrorTextLength = 64 * 1024;

/** Where a runner writes the code to, if `load` does not say. */
export const defaultTaskRoot = "/tmp/task";

/** A file of the code, whose bytes are in the body, or a symbolic link to another one. */
export type TaskEntry =
  | { readonly path: string; readonly mode: number; readonly size: number }
  | { readonly path: string; readonly link: string };

/**
 * Has a runner go through all that a load and an invocation need, so that the first real ones find it loaded
 * and compiled; sent again, through an invocation only. For stock: a guest that is asked at once gains nothing.
 * Never after `load`.
 */
export interface WarmMessage {
  readonly type: "warm";
}

/** Gives a runner its code; the body holds the files' bytes, one after the other. Sent once. */
export interface LoadMessage {
  readonly type: "load";
  readonly files: readonly TaskEntry[];
  /** A directory on a writable tmpfs, {@link defaultTaskRoot} by default. */
  readonly root?: string;
  /** `file.export` (node) or `dir/module.function` (python); found by convention where there is none. */
  readonly handler?: string;
  /** The program and its arguments (provided); `bootstrap` in the root where there is none. */
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly functionName: string;
  readonly functionVersion: string;
  readonly memoryBytes: number;
}

/**
 * The HTTP request that an invocation came as. Its `x-forwarded-*` headers are the host's: `for` is the client's
 * address, `prefix` the part of the path that names the function.
 */
export interface InvokeRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
}

/** Calls the handler; the body is the event. */
export interface InvokeMessage {
  readonly type: "invoke";
  readonly id: string;
  /** W3C trace context, of which the parent is the invocation. */
  readonly traceparent?: string;
  readonly contentType?: string;
  /** Milliseconds since the epoch. */
  readonly deadlineAtMs: number;
  readonly request?: InvokeRequest;
  /** The event has not arrived yet, and comes piece by piece once the guest asks for it. */
  readonly streamed?: true;
}

/** The event has broken off: there will be no end of it. */
export interface BreakMessage {
  readonly type: "break";
  readonly id: string;
}

/** Lets the other side send so many bytes more: of an answer that is a stream, or of an event that is one. */
export interface CreditMessage {
  readonly type: "credit";
  readonly id: string;
  readonly bytes: number;
}

/** All that the host says; a `load`, an `invoke` and a `chunk` have a body. */
export type HostMessage =
  | WarmMessage
  | LoadMessage
  | InvokeMessage
  | CreditMessage
  | ChunkMessage
  | EndMessage
  | BreakMessage;

/** How user code failed. */
export interface GuestError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
}

/** The first word of a runner, as soon as it listens. */
export interface HelloMessage {
  readonly type: "hello";
  readonly protocol: typeof protocolVersion;
  readonly runtime: GuestRuntime;
  readonly runtimeVersion: string;
}

/** The answer to `warm`. */
export interface WarmedMessage {
  readonly type: "warmed";
}

/** The code is imported and its handler found; microseconds since the runner took `load`. */
export interface LoadedMessage {
  readonly type: "loaded";
  readonly loadUs: number;
}

/** The code could not be written or imported, or has no handler; the runner is of no more use. */
export interface LoadErrorMessage {
  readonly type: "load_error";
  readonly error: GuestError;
}

/** The handler answered; the body is the answer. */
export interface ResultMessage {
  readonly type: "result";
  readonly id: string;
  readonly contentType: string;
  readonly status?: number | undefined;
  readonly headers?: [string, string][] | undefined;
}

/** The handler answers piece by piece: what follows is `chunk`s, and then `end` or `error`. */
export interface StartMessage extends Omit<ResultMessage, "type"> {
  readonly type: "start";
}

/** A piece of the answer, or of the event: the body, which is never empty. */
export interface ChunkMessage {
  readonly type: "chunk";
  readonly id: string;
}

/** The answer, or the event, is whole. */
export interface EndMessage {
  readonly type: "end";
  readonly id: string;
}

/** The handler failed, before or in the middle of its answer. */
export interface ErrorMessage {
  readonly type: "error";
  readonly id: string;
  readonly error: GuestError;
}

/** Asks for the whole of an event that is a stream, at once. */
export interface WholeMessage {
  readonly type: "whole";
  readonly id: string;
}

/** All that a guest says; only a `result` and a `chunk` have a body. */
export type GuestMessage =
  | HelloMessage
  | WarmedMessage
  | LoadedMessage
  | LoadErrorMessage
  | ResultMessage
  | StartMessage
  | ChunkMessage
  | EndMessage
  | ErrorMessage
  | CreditMessage
  | WholeMessage;
