import type { Duplex, Writable } from "node:stream";
import { within } from "../../deadline.ts";

/** Which streams of a process the host holds: only the named pipes, none at all, or a terminal. */
export type StdioRequest =
  | {
      readonly kind: "pipe";
      readonly stdin?: boolean;
      readonly stdout?: boolean;
      readonly stderr?: boolean;
    }
  | { readonly kind: "null" }
  /** Stdin and stdout are the two ways of a channel, which unlike a socket may be part of a checkpoint. */
  | { readonly kind: "channel"; readonly stderr?: boolean }
  | { readonly kind: "console"; readonly cols: number; readonly rows: number };

/** Takes output as it comes; must not throw. The chunk is valid during the call only. */
export type Sink = (chunk: Buffer) => void;

/** The reading end of a process's output. */
export interface Output {
  /** Settles when the last writer has closed its end, or after `close`; never rejects. */
  readonly ended: Promise<void>;
  /** Whether it was closed while a writer still held it, so that later output is missing. */
  readonly isCut: boolean;
  /** Sends output to `sink` from now on, first of all what came while there was none; undefined takes it away. */
  attach(sink: Sink | undefined): void;
  /** Delivers everything that was written before this moment to the present sink, before it returns. */
  drain(): void;
  /** Stops reading; harmless when repeated. */
  close(): void;
}

/** The streams of one process as the host holds them. */
export interface Io {
  readonly stdin: Writable | undefined;
  readonly stdout: Output | undefined;
  readonly stderr: Output | undefined;
  /** Stdin and stdout as one, where they were asked for as a channel. */
  readonly channel?: Duplex | undefined;
  /** Closes all of them; harmless when repeated. */
  close(): void;
}

/**
 * Waits until all output has been read to its end, for at most `timeoutMs`, since a process left behind may
 * hold a stream open for ever; then closes it, so that `isCut` tells which way it went.
 */
export async function drainToEnd(io: Io, timeoutMs: number): Promise<void> {
  const outputs = [io.stdout, io.stderr].filter((output) => output !== undefined);
  const ended = Promise.all(outputs.map((output) => output.ended));
  try {
    await within(ended, "drain output", timeoutMs);
  } catch {
    for (const output of outputs) output.drain();
  }
  for (const output of outputs) output.close();
}
