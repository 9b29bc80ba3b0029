import type { ImageStore } from "../../runtime/image/image-store.ts";
import type { Machine } from "../../runtime/machine.ts";
import type { ExecuteRequest, ExecuteResult } from "../schema/execute.ts";
import type { Invocation } from "../schema/invocation.ts";
import type { OutputListener } from "../../runtime/container/stdio/capture.ts";
import { codeFiles } from "./code/code-input.ts";
import { commandLine } from "./command-line.ts";
import { Execution } from "./execution.ts";
import type { Invocations } from "./invocations.ts";
import { invocationError, type Outcome } from "./outcome.ts";
import type { ScratchCode } from "./ports.ts";
import { ofProgram, runOnRecord } from "./program-run.ts";
import { isUtf8 } from "./text.ts";
import { type Trace, traceparentOf } from "./trace.ts";

export interface ExecutorOptions {
  invocations: Invocations;
  machine: Machine;
  images: ImageStore;
  scratch: ScratchCode;
  maxCodeBytes: number;
}

export interface ExecuteOptions {
  signal: AbortSignal;
  /** The trace that the caller named. */
  trace?: Trace | undefined;
  /** Told the id of the invocation once it has got its turn. */
  onBegin?: (invocationId: string) => void;
  /** Told of all output as it comes. */
  onOutput?: OutputListener;
}

/** Runs snippets and programs once, each in a fresh container. */
export class Executor {
  readonly #options: ExecutorOptions;

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  /**
   * Runs a request to its end. However the program ended is an answer, and on record.
   * @throws `invalid_argument` for code that cannot be taken; `resource_exhausted`; InvocationError where
   * the program could not be run to an end of its own.
   */
  async execute(
    request: ExecuteRequest,
    { signal, trace, onBegin, onOutput }: ExecuteOptions,
  ): Promise<ExecuteResult> {
    const { invocations, machine, images, scratch, maxCodeBytes } = this.#options;
    const { runtime, code, env, timeoutMs, outputBytes } = request;
    const files = code === undefined ? [] : await codeFiles(code, runtime, maxCodeBytes);
    const args = commandLine(request, files);
    const image = await images.get(request.image);
    const stdin = Buffer.from(request.stdin, request.stdinEncoding);
    await using task = files.length === 0 ? undefined : await scratch(files);
    const { tmpBytes, memoryBytes, cpus, pids } = request;
    const limits = { tmpBytes, memoryBytes, cpus, pids };
    const common = { image, args, timeoutMs, outputBytes, stdin, task: task?.path, ...limits };
    const { record, outcome } = await invocations.run(
      {
        kind: "execute",
        runtime,
        image: image.name,
        eventBytes: stdin.length,
        traceId: trace?.id ?? null,
      },
      async (run) => {
        onBegin?.(run.id);
        const tell: OutputListener = (...output) => {
          run.onOutput(...output);
          onOutput?.(...output);
        };
        const own = {
          env: { ...env, TRACEPARENT: traceparentOf(run.id, trace) },
          signal: run.signal,
          onOutput: tell,
          onContainer: ofProgram(run.onContainer),
        };
        return (await runOnRecord(machine, { ...common, ...own })).outcome;
      },
      { signal },
    );
    return toResult(record, outcome);
  }

  /**
   * Begins to run a request, for one who is told of it as it runs; it is cancelled when that one goes away.
   * @throws as {@link execute} where it does not begin.
   */
  async stream(
    request: ExecuteRequest,
    { signal, trace }: Pick<ExecuteOptions, "signal" | "trace">,
  ): Promise<Execution> {
    const left = new AbortController();
    const begun = Promise.withResolvers<void>();
    const execution = new Execution(request.outputBytes, () => left.abort());
    this.execute(request, {
      signal: AbortSignal.any([signal, left.signal]),
      trace,
      onBegin: (id) => {
        execution.begin(id);
        begun.resolve();
      },
      onOutput: (stream, chunk) => execution.write(stream, chunk),
    }).then(
      (result) => execution.end(result),
      (error: unknown) => {
        begun.reject(error);
        execution.fail(error);
      },
    );
    await begun.promise;
    return execution;
  }
}

/** Ends that are the program's own business, and so an answer. */
const ownEnds: ReadonlySet<string> = new Set(["exited", "signaled", "timeout", "oom"]);

function toResult(record: Invocation, outcome: Outcome): ExecuteResult {
  const { failure, exit, stdout, stderr } = outcome;
  const isOwnEnd = exit !== undefined && ownEnds.has(exit.reason);
  const isOwn = isOwnEnd && failure?.code !== "runtime_failed";
  if (failure !== undefined && !isOwn) throw invocationError(record, failure, outcome);
  if (!exit || !stdout || !stderr) throw new Error("A program that ran has no exit");
  const texts = [stdout.toBuffer(), stderr.toBuffer()];
  // The bound may have cut a character in two: that is no reason to call text binary.
  const isText = texts.every((bytes) => isUtf8(bytes, { mayBeCut: true }));
  const outputEncoding = isText ? "utf8" : "base64";
  const [out = "", err = ""] = texts.map((bytes) => bytes.toString(outputEncoding));
  return {
    invocationId: record.id,
    traceId: record.traceId,
    exitCode: exit.code,
    ...(exit.signal !== undefined && { exitSignal: exit.signal }),
    exitReason: exit.reason,
    stdout: out,
    stderr: err,
    outputEncoding,
    stdoutTruncated: stdout.truncated,
    stderrTruncated: stderr.truncated,
    queueUs: record.queueUs ?? 0,
    runUs: record.runUs ?? 0,
  };
}
