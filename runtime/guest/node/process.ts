import { Buffer } from "node:buffer";
import { writeSync } from "node:fs";
import { builtinModules } from "node:module";

// User code may replace it.
const from = Buffer.from.bind(Buffer) as (text: string, encoding: BufferEncoding) => Buffer;

/**
 * Makes what user code prints reach the pipe before the print returns: Node queues what a full pipe does not
 * take, which under gVisor it also does of a blocking one, and loses it when the process exits or is killed.
 * Touching the streams also loads them before they are needed.
 */
export function ownStdio(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const { _handle: handle } = stream as { _handle?: { setBlocking?(isBlocking: boolean): void } };
    if (handle?.setBlocking === undefined) continue;
    const block = handle.setBlocking.bind(handle, true);
    block();
    const { fd } = stream;
    const write: typeof stream._write = (chunk: Buffer | string, encoding, done) => {
      try {
        writeWhole(fd, typeof chunk === "string" ? from(chunk, encoding) : chunk, block);
        done();
      } catch (error) {
        done(error as Error);
      }
    };
    Object.assign(stream, { _write: write, _writev: undefined });
  }
}

function writeWhole(fd: number, bytes: Uint8Array, block: () => void): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      // A child that has the pipe too has made it non-blocking for all.
      block();
    }
  }
}

/**
 * Takes back the globals that only `node -e` has: modules that look for `exports` or `require` would take
 * themselves for CommonJS, and forked children would run the runner again.
 */
export function hideEvalGlobals(): void {
  const scriptNames = ["module", "exports", "require", "__filename", "__dirname"];
  for (const name of scriptNames) Reflect.deleteProperty(globalThis, name);
  const kept = new Set(["process", "console"]);
  for (const name of builtinModules) {
    const isEvalOnly = Object.getOwnPropertyDescriptor(globalThis, name)?.enumerable === false;
    if (isEvalOnly && !kept.has(name)) Reflect.deleteProperty(globalThis, name);
  }
  process.execArgv = [];
}
