import { Buffer } from "node:buffer";
import { readSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import type { HostLine, Runner } from "./runner.ts";

const channelDescriptor = 3;
const readBytes = 65_536;

/** How long events may come one after the other without a turn of the event loop. */
const maxTurnlessMs = 10;

/** How soon it is noticed that the host goes away while a handler runs. */
const lookEveryMs = 100;

// User code may replace these.
const exit = process.exit.bind(process);
const now = performance.now.bind(performance);
const nextTurn = setImmediate;
const activeResources = process.getActiveResourcesInfo.bind(process);

/** Node has no documented names for these two; where one of them is gone, a line waits in the event loop alone. */
interface Undocumented {
  /** Whether a read waits in the kernel for what is to come. */
  readonly setBlocking: (isBlocking: boolean) => void;
  /** Runs all that is due before the event loop may turn: promises, ticks, and the notices of rejections. */
  readonly runTicks: () => void;
}

/**
 * Brings a runner what the host sends. Under gVisor each system call is dear, and waiting in the event loop takes
 * one more than waiting in the read itself. So whoever is idle waits in the read, unless something that user code
 * has begun needs the loop; it turns now and then all the same, for what Node does not count as active.
 */
export class Line implements HostLine {
  readonly #runner: Runner;
  readonly #buffer = Buffer.alloc(readBytes);
  readonly #socket: Socket;
  readonly #undocumented: Undocumented | undefined;
  /** What is active without any user code: this class's socket and timer, and the standard streams. */
  #ownResources: number | undefined;
  /** The event loop reads; else nobody does, or {@link #attend} itself. */
  #isListening = false;
  /** It is to attend when the event loop turns. */
  #isDue = false;

  constructor(makeRunner: (line: HostLine) => Runner) {
    const callback = (length: number): boolean => {
      void this.#openAfter(this.#take(length));
      return true;
    };
    this.#socket = new Socket({
      fd: channelDescriptor,
      onread: { buffer: this.#buffer, callback },
    });
    // It has begun to read.
    this.#socket.pause();
    for (const end of ["end", "error", "close"]) this.#socket.on(end, () => exit(0));
    this.#undocumented = undocumentedOf(this.#socket);
    this.#runner = makeRunner(this);
    // It also keeps a process alive whose handler waits for what never comes: its timeout is to end that.
    setInterval(() => this.#look(), lookEveryMs);
  }

  /** Has the runner begin, and brings it what comes. */
  open(): void {
    this.#runner.open();
    this.#attendSoon();
  }

  #attendSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    nextTurn(() => {
      this.#isDue = false;
      this.#attend();
    });
  }

  /** Reads on while a handler runs, as when it may be sent more. */
  listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    this.#undocumented?.setBlocking(false);
    this.#socket.resume();
  }

  /** Writes a chunk; returns once the channel has taken all of it. */
  write(chunk: Uint8Array): void {
    if (this.#undocumented === undefined) return void this.#socket.write(chunk);
    const { setBlocking } = this.#undocumented;
    let isMadeToWait = false;
    for (let at = 0; at < chunk.byteLength;) {
      try {
        at += writeSync(channelDescriptor, chunk, at);
      } catch (error) {
        // The host is gone, or the channel is full while the event loop reads it.
        if ((error as NodeJS.ErrnoException).code !== "EAGAIN") exit(0);
        setBlocking(true);
        isMadeToWait = true;
      }
    }
    if (isMadeToWait) setBlocking(false);
  }

  #look(): void {
    if (!this.#runner.isIdle) this.listen();
  }

  /** Works off what comes while there is nothing to turn the event loop for. */
  #attend(): void {
    if (this.#undocumented === undefined) return this.listen();
    const { setBlocking, runTicks } = this.#undocumented;
    const turnedAtMs = now();
    const ownResources = (this.#ownResources ??= activeResources().length);
    while (this.#runner.isIdle) {
      if (activeResources().length > ownResources) return this.listen();
      if (now() - turnedAtMs > maxTurnlessMs) return this.#attendSoon();
      if (this.#isListening) {
        this.#socket.pause();
        setBlocking(true);
        this.#isListening = false;
      }
      const worked = this.#take(readNow(this.#buffer));
      let isThrown = true;
      try {
        runTicks();
        isThrown = false;
      } finally {
        // User code may say that what it throws is no reason to end.
        if (isThrown || !this.#runner.isIdle) void this.#openAfter(worked);
      }
    }
  }

  async #take(length: number): Promise<void> {
    if (length === 0) exit(0);
    await this.#runner.receive(Buffer.from(this.#buffer.subarray(0, length)));
  }

  async #openAfter(worked: Promise<void>): Promise<void> {
    await worked;
    if (this.#runner.isIdle) this.#attendSoon();
  }
}

function undocumentedOf(socket: Socket): Undocumented | undefined {
  const { _handle: handle } = socket as { _handle?: Partial<Undocumented> };
  const { _tickCallback: runTicks } = process as { _tickCallback?: () => void };
  if (handle?.setBlocking === undefined || runTicks === undefined) return undefined;
  const setBlocking = handle.setBlocking.bind(handle);
  setBlocking(true);
  return { setBlocking, runTicks };
}

/** Answers how much there was; nothing once the host is gone. */
function readNow(buffer: Buffer): number {
  try {
    return readSync(channelDescriptor, buffer, 0, readBytes, null);
  } catch {
    return 0;
  }
}
