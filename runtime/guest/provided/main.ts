import type { Buffer } from "node:buffer";
import { Socket } from "node:net";
import { constants } from "node:os";
import type { Answer, StreamedAnswer } from "../node/answer.ts";
import { Runner, type Work } from "../node/runner.ts";
import type { InvokeMessage, LoadMessage } from "../messages.ts";
import { type ProgramEnd, startProgram } from "./bootstrap.ts";
import { makeDelivery } from "./delivery.ts";
import { Exchange } from "./exchange.ts";
import { httpAnswerOf } from "./response.ts";
import { serveRuntimeApi } from "./runtime-api.ts";

const channelDescriptor = 3;
const apiPort = 9001;

/** Runs programs that speak the Lambda Runtime API, which is served on the container's loopback. */
export async function startRunner(): Promise<void> {
  const exchange = new Exchange();
  // Before anything can be loaded: native clients connect once, with a second's patience.
  const api = await serveRuntimeApi(exchange, apiPort);
  const socket = new Socket({ fd: channelDescriptor });
  const work = new ProgramWork(exchange, api, (end) => {
    exchange.release();
    // What has been released is on its way once the promises that it settled have run.
    setImmediate(() => socket.end(() => endAs(end)));
  });
  const line = { write: (chunk: Uint8Array): void => void socket.write(chunk), listen: ignore };
  const runner = new Runner(line, work);
  socket.on("data", (chunk) => void runner.receive(chunk));
  for (const end of ["end", "error", "close"]) socket.on(end, () => process.exit(0));
  runner.open();
}

/** The event loop reads all the time. */
function ignore(): void {}

class ProgramWork implements Work {
  readonly runtime = "provided";
  readonly #exchange: Exchange;
  readonly #api: string;
  readonly #onEnd: (end: ProgramEnd) => void;
  #loaded: LoadMessage | undefined;

  constructor(exchange: Exchange, api: string, onEnd: (end: ProgramEnd) => void) {
    this.#exchange = exchange;
    this.#api = api;
    this.#onEnd = onEnd;
  }

  /** The program is not there yet, and the bridge itself has next to nothing to learn. */
  async warm(): Promise<void> {}

  async load(load: LoadMessage, root: string): Promise<void> {
    this.#loaded = load;
    await startProgram(load, { root, api: this.#api, onEnd: this.#onEnd });
    await this.#exchange.ready();
  }

  async invoke(invoke: InvokeMessage, event: Buffer): Promise<Answer | StreamedAnswer> {
    if (this.#loaded === undefined) throw new Error("Cannot ask a program: none is started");
    const answer = await this.#exchange.invoke(makeDelivery(this.#loaded, invoke, event));
    return invoke.request === undefined ? answer : await httpAnswerOf(answer);
  }
}

/** The program's end is the container's: it is told from there, with its code or signal. */
function endAs({ code, signal }: ProgramEnd): void {
  if (signal === null) process.exit(code ?? 1);
  process.kill(process.pid, signal);
  // Some signals do nothing to a first process.
  setImmediate(() => process.exit(128 + constants.signals[signal]));
}
