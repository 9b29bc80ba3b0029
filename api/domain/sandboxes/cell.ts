import { StringDecoder } from "node:string_decoder";
import { nowUs } from "../../../runtime/clock.ts";
import type { KernelEvent } from "../../../runtime/guest/context/kernel.ts";
import { Wakeup } from "../../../runtime/wakeup.ts";
import type { CellEvent, CellResult, CellSpec } from "../../schema/sandbox-context.ts";

type End = Extract<CellEvent, { type: "end" }>;

/** What all results of a cell may come to, as JSON. */
const maxResultBytes = 8 * 1024 * 1024;
const maxResults = 1000;
/** How many pieces of output may wait to be told; what does not fit is dropped. */
const maxEvents = 4096;

/** One cell of code on its way through a context, and the one who is told of it. */
export class Cell implements Disposable {
  readonly spec: CellSpec;
  /** Why it was interrupted, if it was. */
  stopReason: "interrupted" | "timeout" | undefined;
  readonly #onLeave: (cell: Cell) => void;
  readonly #events: CellEvent[] = [];
  readonly #wakeup = new Wakeup();
  readonly #streams = { stdout: newStream(), stderr: newStream() };
  #begun = { executionCount: 0, startedAtUs: 0 };
  #resultBytes = 0;
  #results = 0;
  #droppedResults = 0;
  #hasError = false;
  #isOver = false;

  /** `onLeave` is told when whoever follows goes away before the end. */
  constructor(spec: CellSpec, onLeave: (cell: Cell) => void) {
    this.spec = spec;
    this.#onLeave = onLeave;
  }

  /** The next event, as soon as there is one; undefined after the last. */
  async next(): Promise<CellEvent | undefined> {
    while (this.#events.length === 0 && !this.#isOver) await this.#wakeup.next();
    return this.#events.shift();
  }

  /** All that comes of it, as one. @throws the signal's reason. */
  async collect(signal: AbortSignal): Promise<CellResult> {
    const leave = (): void => this[Symbol.dispose]();
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    const texts = { stdout: "", stderr: "" };
    const results: CellResult["results"] = [];
    let error: CellResult["error"];
    for (let event = await this.next(); event !== undefined; event = await this.next()) {
      signal.throwIfAborted();
      if (event.type === "output") texts[event.stream] += event.text;
      const { type: _type, ...facts } = event;
      if (event.type === "result") results.push(facts as CellResult["results"][number]);
      if (event.type === "error") error = facts as CellResult["error"];
      if (event.type !== "end") continue;
      signal.removeEventListener("abort", leave);
      const { type: _, droppedBytes, ...end } = event;
      const writtenTo = (to: "stdout" | "stderr"): CellResult["stdout"] => ({
        text: texts[to],
        droppedBytes: droppedBytes[to],
      });
      const written = { stdout: writtenTo("stdout"), stderr: writtenTo("stderr") };
      return { ...end, ...written, results, ...(error !== undefined && { error }) };
    }
    signal.throwIfAborted();
    throw new Error("A cell has no end");
  }

  /** Its turn has come. */
  begin(executionCount: number): void {
    this.#begun = { executionCount, startedAtUs: nowUs() };
    this.#push({ type: "started", ...this.#begun });
  }

  /** Takes what comes of it, within its bounds. */
  take(event: KernelEvent): void {
    if (event.type === "output") return this.#write(event.stream, event.body);
    if (event.type === "error") {
      if (this.#hasError) return;
      this.#hasError = true;
      return this.#push(event);
    }
    const bytes = Buffer.byteLength(JSON.stringify(event.data));
    if (this.#results >= maxResults || this.#resultBytes + bytes > maxResultBytes) {
      this.#droppedResults++;
      return;
    }
    this.#results++;
    this.#resultBytes += bytes;
    this.#push(event);
  }

  /** It is over; `message` says why its context has ended, if it has. */
  end(contextState: End["contextState"], message?: string): void {
    const own = this.#hasError ? "error" : "ok";
    const gone = this.stopReason === "timeout" ? "timeout" : "ended";
    // One that was over before the interrupt came has not been interrupted.
    const heeded = this.#hasError ? (this.stopReason ?? own) : own;
    const { stdout, stderr } = this.#streams;
    this.#push({
      type: "end",
      ...this.#begun,
      status: message === undefined ? heeded : gone,
      ...(message !== undefined && { message }),
      contextState,
      endedAtUs: Math.max(nowUs(), this.#begun?.startedAtUs ?? 0),
      droppedBytes: { stdout: stdout.droppedBytes, stderr: stderr.droppedBytes },
      droppedResults: this.#droppedResults,
    });
    this.#isOver = true;
    this.#wakeup.wake();
  }

  /** Whoever follows goes away. */
  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.length = 0;
    this.#wakeup.wake();
    this.#onLeave(this);
  }

  #write(name: "stdout" | "stderr", body: Buffer): void {
    const stream = this.#streams[name];
    const last = this.#events.at(-1);
    const isSame = last?.type === "output" && last.stream === name;
    const hasRoom = isSame || this.#events.length < maxEvents;
    const kept = body.subarray(0, hasRoom ? this.spec.outputBytes - stream.toldBytes : 0);
    stream.toldBytes += kept.byteLength;
    stream.droppedBytes += body.byteLength - kept.byteLength;
    const text = stream.decoder.write(kept);
    if (text === "") return;
    if (isSame) last.text += text;
    else this.#push({ type: "output", stream: name, text });
  }

  #push(event: CellEvent): void {
    if (this.#isOver) return;
    this.#events.push(event);
    this.#wakeup.wake();
  }
}

interface Stream {
  readonly decoder: StringDecoder;
  toldBytes: number;
  droppedBytes: number;
}

/** A character may come in two pieces. */
function newStream(): Stream {
  return { decoder: new StringDecoder(), toldBytes: 0, droppedBytes: 0 };
}
