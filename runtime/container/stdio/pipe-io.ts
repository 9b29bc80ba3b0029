import { closeSync } from "node:fs";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import type { DescriptorSource } from "../../runsc/process.ts";
import { OutputStream } from "./output-stream.ts";
import type { Pipe, PipeStock } from "./pipe-stock.ts";
import type { DescriptorIo } from "./null-io.ts";
import type { StdioRequest } from "./stdio.ts";

/** Opens the wanted streams of a process as pipes; the others are /dev/null. @throws as PipeStock.take. */
export async function openPipeIo(
  request: Extract<StdioRequest, { kind: "pipe" }>,
  stock: PipeStock,
): Promise<PipeIo> {
  const pipes: Partial<Record<StreamName, Pipe>> = {};
  try {
    if (request.stdin === true) pipes.stdin = await stock.take("write");
    if (request.stdout === true) pipes.stdout = await stock.take("read");
    if (request.stderr === true) pipes.stderr = await stock.take("read");
  } catch (error) {
    for (const pipe of Object.values(pipes)) {
      closeSync(pipe.host);
      closeSync(pipe.child);
    }
    throw error;
  }
  return new PipeIo(pipes);
}

type StreamName = "stdin" | "stdout" | "stderr";

/** The streams of a process as pipes. */
export class PipeIo implements DescriptorIo {
  readonly descriptors: readonly DescriptorSource[];
  readonly stdin: Writable | undefined;
  readonly stdout: OutputStream | undefined;
  readonly stderr: OutputStream | undefined;
  readonly #childEnds: number[];

  constructor(pipes: Partial<Record<StreamName, Pipe>>) {
    this.descriptors = [pipes.stdin, pipes.stdout, pipes.stderr].map((pipe) => {
      return pipe?.child ?? "ignore";
    });
    this.stdin = pipes.stdin && inputStream(pipes.stdin.host);
    this.stdout = pipes.stdout && new OutputStream(pipes.stdout.host);
    this.stderr = pipes.stderr && new OutputStream(pipes.stderr.host);
    this.#childEnds = Object.values(pipes).map((pipe) => pipe.child);
  }

  /** As long as the host holds a copy of the child's ends, the end of the output never arrives. */
  handOver(): void {
    for (const fd of this.#childEnds.splice(0)) closeSync(fd);
  }

  close(): void {
    this.handOver();
    this.stdin?.destroy();
    this.stdout?.close();
    this.stderr?.close();
  }
}

function inputStream(fd: number): Writable {
  const stream = new Socket({ fd, readable: false, writable: true });
  // A guest may close its stdin whenever it likes; who writes learns of it by the write's own callback.
  stream.on("error", () => undefined);
  return stream;
}
