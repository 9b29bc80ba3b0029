import type { Buffer } from "node:buffer";
import type { InvokeMessage, LoadMessage } from "../messages.ts";
import type { Answer, StreamedAnswer } from "./answer.ts";
import { callHandler, type Task } from "./call.ts";
import { loadHandler } from "./handler.ts";
import type { Inflow } from "./inflow.ts";
import { Line } from "./line.ts";
import { hideEvalGlobals, ownStdio } from "./process.ts";
import { Runner, type Work } from "./runner.ts";
import { Practice } from "./warm.ts";

/** Runs functions of the language that this is written in. */
export function startRunner(): void {
  ownStdio();
  // Node sets one of them again when the script that is running now ends.
  queueMicrotask(hideEvalGlobals);
  const practice = new Practice(() => new Runner(nobody, new HandlerWork()));
  new Line((line) => new Runner(line, new HandlerWork(practice))).open();
}

const nobody = { write: (): void => undefined, listen: (): void => undefined };

class HandlerWork implements Work {
  readonly runtime = "node";
  readonly #practice: Practice | undefined;
  #task: Task | undefined;

  constructor(practice?: Practice) {
    this.#practice = practice;
  }

  async warm(): Promise<void> {
    await this.#practice?.round();
  }

  async load(load: LoadMessage, root: string): Promise<void> {
    Object.assign(process.env, load.env);
    this.#task = { load, handler: await loadHandler(root, load.files, load.handler) };
  }

  async invoke(
    invoke: InvokeMessage,
    event: Buffer,
    inflow: Inflow | undefined,
  ): Promise<Answer | StreamedAnswer> {
    if (this.#task === undefined) throw new Error("Cannot call a handler: none is loaded");
    return await callHandler(this.#task, invoke, event, inflow);
  }
}
