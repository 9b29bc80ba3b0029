import { closeSync, fchmodSync } from "node:fs";
import { Socket } from "node:net";
import { Duplex, type Writable } from "node:stream";
import type { DescriptorIo } from "./null-io.ts";
import { openPipeIo } from "./pipe-io.ts";
import type { PipeStock } from "./pipe-stock.ts";
import type { StdioRequest } from "./stdio.ts";

/** Opens stdin and stdout of a process as the two ways of one channel. @throws as PipeStock.take. */
export async function openChannelIo(
  { stderr = false }: Extract<StdioRequest, { kind: "channel" }>,
  stock: PipeStock,
): Promise<DescriptorIo> {
  using stack = new DisposableStack();
  const io = await openPipeIo({ kind: "pipe", stdin: true, stderr }, stock);
  stack.defer(() => io.close());
  const output = await stock.take("read");
  stack.move();
  // A pipe, unlike a socket, can be opened anew by its /proc name: inside, by nobody but root.
  for (const fd of [...io.descriptors, output.child]) {
    if (typeof fd === "number") fchmodSync(fd, 0);
  }
  const channel = new PipeChannel(io.stdin as Writable, output.host);
  const childEnds = [output.child];
  const handOver = (): void => {
    io.handOver();
    for (const fd of childEnds.splice(0)) closeSync(fd);
  };
  return {
    descriptors: io.descriptors.with(1, output.child),
    stdin: undefined,
    stdout: undefined,
    stderr: io.stderr,
    channel,
    handOver,
    close: () => {
      handOver();
      channel.destroy();
      io.close();
    },
  };
}

/** Two pipes as one stream. Unlike an Output it lets the guest wait: nothing of a channel may be lost. */
class PipeChannel extends Duplex {
  readonly #outward: Writable;
  readonly #inward: Socket;

  /** Takes over both; `inwardFd` must be non-blocking. */
  constructor(outward: Writable, inwardFd: number) {
    // What the guest has ended or left has nobody to write to either.
    super({ allowHalfOpen: false });
    this.#outward = outward;
    this.#inward = new Socket({ fd: inwardFd, readable: true, writable: false });
    this.#inward.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) this.#inward.pause();
    });
    this.#inward.once("end", () => this.push(null));
    this.#inward.on("error", (error) => this.destroy(error));
    this.#outward.on("error", (error) => this.destroy(error));
  }

  override _read(): void {
    this.#inward.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#outward.write(chunk, done);
  }

  override _writev(
    chunks: { chunk: Buffer; encoding: BufferEncoding }[],
    done: (error?: Error | null) => void,
  ): void {
    const last = chunks.length - 1;
    this.#outward.cork();
    for (const [at, { chunk }] of chunks.entries()) {
      this.#outward.write(chunk, at === last ? done : undefined);
    }
    this.#outward.uncork();
  }

  override _final(done: () => void): void {
    this.#outward.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#inward.destroy();
    this.#outward.destroy();
    done(error);
  }
}
