import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { nowUs } from "../../../runtime/clock.ts";
import { startDeadline } from "../../../runtime/deadline.ts";
import type { Agent } from "../../../runtime/guest/agent/agent.ts";
import { AgentTools } from "../../../runtime/guest/agent/agent-tools.ts";
import type { SandboxRow, SandboxStore } from "../../../store/sandboxes.ts";
import type {
  SandboxChange,
  SandboxEndReason,
  SandboxSpec,
  SandboxUsage,
} from "../../schema/sandbox.ts";
import { isRunletError, RunletError } from "../errors.ts";
import { Activity } from "./activity.ts";

export interface SandboxOptions {
  row: SandboxRow;
  spec: SandboxSpec;
  agent: Agent;
  store: SandboxStore;
  /** Told once, when the sandbox is over: its place is free. */
  onEnd: () => void;
  /** Told what went wrong where nobody waits. */
  onError: (error: unknown) => void;
  /** Aborted when there is nothing to write to any more. */
  closed: AbortSignal;
}

const connectTimeoutMs = 10_000;
/** After which time it is tried again to write what could not be. */
const retryMs = 1000;
/** How often is looked at what it uses, and whether it may rest. */
const lookMs = 5000;
const maxSamples = 60;

/** A sandbox that is open: its container, its clocks, and what is on record of it. */
export class Sandbox {
  readonly activity = new Activity();
  readonly #agent: Agent;
  readonly #store: SandboxStore;
  readonly #onEnd: () => void;
  readonly #onError: (error: unknown) => void;
  readonly #closed: AbortSignal;
  readonly #samples: SandboxUsage[] = [];
  readonly #ticker: NodeJS.Timeout;
  readonly #ended = Promise.withResolvers<void>();
  #row: SandboxRow;
  #spec: SandboxSpec;
  /** When its timeout is over, by the clock that nobody sets. */
  #dueAtMs: number;
  #timer: NodeJS.Timeout | undefined;
  #endReason: SandboxEndReason | undefined;
  #settling: Promise<void> | undefined;

  constructor({ row, spec, agent, store, onEnd, onError, closed }: SandboxOptions) {
    this.#row = row;
    this.#spec = spec;
    this.#dueAtMs = dueAtMsOf(row);
    this.#agent = agent;
    this.#store = store;
    this.#onEnd = onEnd;
    this.#onError = onError;
    this.#closed = closed;
    this.#ticker = setInterval(() => this.#look(), lookMs);
    this.#ticker.unref();
    this.#arm();
    void this.#watch().catch(onError);
  }

  get id(): string {
    return this.#row.id;
  }

  get row(): SandboxRow {
    return this.#row;
  }

  get spec(): SandboxSpec {
    return this.#spec;
  }

  get isOpen(): boolean {
    return this.#row.state !== "ended" && this.#endReason === undefined && this.#agent.isAlive;
  }

  /** What works on whole directories of the sandbox. @throws as {@link use}. */
  get tools(): AgentTools {
    return new AgentTools(this.use());
  }

  /** For what must reach the sandbox also while it is paused: it is done once the sandbox goes on. */
  get agent(): Agent {
    return this.#agent;
  }

  /** Settles when the sandbox is over and all of it is removed. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /**
   * The sandbox's agent, for something that needs it to run now.
   * @throws `failed_precondition` if it is paused and does not resume by itself, `not_found` if it has ended.
   */
  use(): Agent {
    const agent = this.look();
    this.activity.touch();
    return agent;
  }

  /** As {@link use}, for who only asks what is there: that keeps no sandbox from being idle. */
  look(): Agent {
    this.#requireOpen();
    if (this.#row.state === "paused") {
      if (!this.#spec.autoResume) {
        throw new RunletError(
          "failed_precondition",
          `Cannot use sandbox ${this.id}: it is paused. Resume it first`,
        );
      }
      this.resume();
    }
    return this.#agent;
  }

  /**
   * Connects to a port of its loopback; each byte that moves is activity.
   * @throws as {@link use}, `port_failed` where nobody listens, `deadline_exceeded` where nobody accepts.
   */
  async connect(port: number, signal?: AbortSignal): Promise<Duplex> {
    const agent = this.use();
    using deadline = startDeadline(`connect to port ${port}`, connectTimeoutMs, signal);
    const onMoved = (): void => this.activity.touch();
    return await agent.connect(port, { signal: deadline.signal, onMoved });
  }

  /** Stops its processor time; all that it holds stays. A paused one stays paused. */
  pause(): void {
    this.#requireOpen();
    if (this.#row.state === "paused") return;
    this.#agent.freeze();
    if (!this.#agent.isFrozen) {
      throw new RunletError(
        "failed_precondition",
        `Cannot pause sandbox ${this.id}: this host has no cgroup that tells its processes`,
      );
    }
    try {
      this.#change({ state: "paused" }, "paused");
    } catch (error) {
      this.#agent.thaw();
      throw error;
    }
    clearTimeout(this.#timer);
  }

  /** Lets it go on, for its whole timeout again; one that runs goes on as it does. */
  resume(): void {
    this.#requireOpen();
    if (this.#row.state !== "paused") return;
    const expiresAtUs = nowUs() + this.#spec.timeoutMs * 1000;
    this.#change({ state: "running", expiresAtUs }, "resumed");
    this.#agent.thaw();
    this.activity.touch();
    this.#arm();
  }

  /** Sets its timeouts anew, from now on, and its metadata. */
  change({ timeoutMs, idleTimeoutMs, metadata }: SandboxChange): void {
    this.#requireOpen();
    const changed = {
      ...this.#spec,
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(idleTimeoutMs !== undefined && { idleTimeoutMs: idleTimeoutMs ?? undefined }),
      ...(metadata !== undefined && { metadata }),
    };
    const { metadata: kept, ...spec } = changed;
    this.#change(
      {
        spec: JSON.stringify(spec),
        metadata: JSON.stringify(kept),
        ...(timeoutMs !== undefined && { expiresAtUs: nowUs() + timeoutMs * 1000 }),
      },
      "changed",
    );
    this.#spec = changed;
    this.#arm();
  }

  /** What it uses now, and of late; undefined where the host does not count it. */
  usage(): { now: SandboxUsage; series: readonly SandboxUsage[] } {
    this.#requireOpen();
    return { now: this.#measure(), series: this.#samples };
  }

  /** Ends it with all that runs inside; the first reason stands. */
  async end(reason: SandboxEndReason): Promise<void> {
    this.#endReason ??= reason;
    try {
      await this.#agent.init.terminate("cancelled");
    } catch (error) {
      this.#onError(error);
      this.#settling ??= this.#settle(reason);
    }
    await this.ended;
  }

  /** Ends it where whoever opened it has gone away before the answer: nobody knows of it. */
  abandon(): void {
    this.#endAlone("abandoned");
  }

  /** Ends it where it has written more than it may. */
  boundDisk(): void {
    if (this.#row.state !== "running" || this.#endReason !== undefined) return;
    if ((this.#agent.diskBytes ?? 0) > this.#spec.diskBytes) this.#endAlone("disk");
  }

  async #watch(): Promise<void> {
    const exit = await this.#agent.init.wait();
    this.#settling ??= this.#settle(exit.reason === "oom" ? "oom" : "exited");
    await this.#settling;
  }

  /** Frees its place, whatever goes wrong; what cannot be written is written later. */
  async #settle(found: SandboxEndReason): Promise<void> {
    clearInterval(this.#ticker);
    clearTimeout(this.#timer);
    const endedAtUs = nowUs();
    const endReason = this.#endReason ?? found;
    // Whoever reads that it has ended may count on its place.
    await this.#agent[Symbol.asyncDispose]().catch(this.#onError);
    const row = { ...this.#row, state: "ended", endedAtUs, endReason };
    const isWritten = this.#tryWrite(row);
    this.#row = row;
    this.#onEnd();
    this.#ended.resolve();
    if (!isWritten) await this.#writeLater(row);
  }

  async #writeLater(row: SandboxRow): Promise<void> {
    do {
      await sleep(retryMs, undefined, { ref: false });
    } while (!this.#closed.aborted && !this.#tryWrite(row));
  }

  #tryWrite(row: SandboxRow): boolean {
    try {
      this.#store.change(row, "ended", nowUs());
      return true;
    } catch (error) {
      this.#onError(error);
      return false;
    }
  }

  /** What cannot be written does not come about. */
  #change(change: Partial<SandboxRow>, type: string): void {
    const row = { ...this.#row, ...change };
    this.#store.change(row, type, nowUs());
    this.#row = row;
    if (change.expiresAtUs !== undefined) this.#dueAtMs = dueAtMsOf(row);
  }

  #requireOpen(): void {
    if (!this.isOpen)
      throw new RunletError("not_found", `Cannot use sandbox ${this.id}: it has ended`);
  }

  /** Ends it where nobody waits for that. */
  #endAlone(reason: SandboxEndReason): void {
    void this.end(reason).catch(this.#onError);
  }

  /** Comes back when one of the timeouts may be due. */
  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#row.state !== "running") return;
    const leftMs = Math.max(0, this.#dueAtMs - performance.now());
    const { idleTimeoutMs } = this.#spec;
    const idleLeftMs =
      idleTimeoutMs === undefined ? Infinity : Math.max(0, idleTimeoutMs - this.activity.idleMs);
    const isDue = leftMs === 0 || idleLeftMs === 0;
    if (isDue) return this.#expire(leftMs === 0 ? "timeout" : "idle");
    this.#timer = setTimeout(() => this.#arm(), Math.ceil(Math.min(leftMs, idleLeftMs, 2 ** 30)));
    this.#timer.unref();
  }

  #expire(reason: "timeout" | "idle"): void {
    if (this.#spec.onTimeout !== "pause" || !this.isOpen) return this.#endAlone(reason);
    try {
      this.pause();
    } catch (error) {
      this.#onError(error);
      // Where it cannot be paused at all, it must not go on past its time all the same.
      if (isRunletError(error, "failed_precondition")) return this.#endAlone(reason);
      this.#timer = setTimeout(() => this.#arm(), retryMs).unref();
    }
  }

  #measure(): SandboxUsage {
    const { memoryBytes = 0, cpuUs = 0, pids = 0 } = this.#agent.init.usage() ?? {};
    return { atUs: nowUs(), cpuUs, memoryBytes, diskBytes: this.#agent.diskBytes ?? 0, pids };
  }

  #look(): void {
    if (!this.#agent.isAlive) return;
    this.#samples.push(this.#measure());
    if (this.#samples.length > maxSamples) this.#samples.shift();
    // Whom it ends under is told of it elsewhere.
    this.#agent.rest().catch(() => undefined);
  }
}

function dueAtMsOf({ expiresAtUs }: SandboxRow): number {
  return performance.now() + (expiresAtUs - nowUs()) / 1000;
}
