import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import { passedBytes } from "../passed-bytes.ts";
import type { HostCheck } from "./host-check.ts";

/** Where the kernel takes requests, and what says how its processors idle. */
const files = {
  request: "/dev/cpu_dma_latency",
  driver: "/sys/devices/system/cpu/cpuidle/current_driver",
} as const;

type WakefulnessFiles = Record<keyof typeof files, string>;

interface Request {
  readonly begunAtMs: number;
}

/** No time at all, as a native 32-bit number of microseconds. */
const noLatency = Buffer.alloc(4);

/** How long a request may take that passes nothing on: as long as a container's start. */
const youngMs = 500;

/** What passes to and from containers from one look to the next where a file is on the way, and not a line now and then. */
const transferBytes = 65_536;

/**
 * Keeps the processors of a virtual machine from halting while there is something to answer. One that has halted takes
 * its hypervisor 50 us and more to wake up, and from a caller to a guest and back there are a dozen such wake-ups; one
 * that looks for work by itself takes a few. Its price is that the machine seems busy meanwhile, so that only requests
 * begin it, and it ends soon after them. A machine whose processors tell how long they need to wake up is left alone:
 * there the kernel weighs that itself. (Linux, "PM Quality Of Service Interface".)
 */
export class Wakefulness implements Disposable {
  readonly #restMs: number;
  readonly #file: string | undefined;
  #fd: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** What has begun lately and goes on, the oldest first. */
  readonly #young = new Set<Request>();
  /** When something has last begun, ended or grown old, or a transfer was seen. */
  #lastSignMs = 0;
  #seenBytes = 0;

  /**
   * It ends `restMs`, or up to twice that, after the end of the last request or of its first half second, or after that
   * of a transfer; 0 is never.
   */
  constructor(restMs: number, { request, driver }: WakefulnessFiles = files) {
    this.#restMs = restMs;
    this.#file = restMs > 0 && isHaltedByHypervisor(driver) ? request : undefined;
  }

  /** A request has come; the answer is to be called at its end. */
  begin(): () => void {
    if (this.#file === undefined) return () => undefined;
    this.#lastSignMs = performance.now();
    const request = { begunAtMs: this.#lastSignMs };
    this.#young.add(request);
    if (this.#timer === undefined) {
      this.#fd = ask(this.#file);
      this.#timer = setInterval(() => this.#look(), this.#restMs).unref();
    }
    return () => this.#forget(request);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #forget(request: Request): void {
    if (this.#young.delete(request)) this.#lastSignMs = performance.now();
  }

  #look(): void {
    const now = performance.now();
    for (const request of this.#young) {
      if (request.begunAtMs > now - youngMs) break;
      this.#forget(request);
    }
    if (passedBytes() - this.#seenBytes >= transferBytes) this.#lastSignMs = now;
    this.#seenBytes = passedBytes();
    if (this.#young.size === 0 && now - this.#lastSignMs >= this.#restMs) this[Symbol.dispose]();
  }
}

/** Looks at whether this machine's processors halt, and can be kept from it. */
export function checkWakefulness({ request, driver }: WakefulnessFiles = files): HostCheck {
  const name = "wakefulness";
  if (!isHaltedByHypervisor(driver)) {
    return { name, status: "ok", found: "no need: these processors do not halt by a hypervisor" };
  }
  const fd = open(request);
  if (fd !== undefined) {
    closeSync(fd);
    return { name, status: "ok", found: "processors can be kept from halting" };
  }
  return {
    name,
    status: "warning",
    found: `cannot write ${request}`,
    advice:
      "A request takes up to twice as long, since processors that have nothing to do halt: give the server that " +
      `file, a container by \`--device ${request}\``,
  };
}

/** KVM's guests that are told so halt through a driver of this name, which tells nothing of what that costs. */
function isHaltedByHypervisor(driverFile: string): boolean {
  try {
    return readFileSync(driverFile, "utf8").trim() === "haltpoll";
  } catch {
    return false;
  }
}

/** A request that stands as long as the file is open. */
function ask(file: string): number | undefined {
  const fd = open(file);
  if (fd === undefined) return undefined;
  try {
    writeSync(fd, noLatency);
    return fd;
  } catch {
    closeSync(fd);
    return undefined;
  }
}

function open(file: string): number | undefined {
  try {
    return openSync(file, constants.O_WRONLY);
  } catch {
    // It makes a server slower and no worse; `runlet doctor` tells of it.
    return undefined;
  }
}
