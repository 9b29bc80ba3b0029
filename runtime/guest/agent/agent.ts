import { constants } from "node:os";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import PQueue from "p-queue";
import { z } from "zod";
import { type ContainerLimits, containerSpec } from "../../container/container-spec.ts";
import { Filestore } from "../../container/filestore.ts";
import { Freezer } from "../../container/freezer.ts";
import type { Init } from "../../container/init.ts";
import { startDeadline, untilAborted } from "../../deadline.ts";
import { RunletError } from "../../errors.ts";
import type { Image } from "../../image/image.ts";
import type { Machine } from "../../machine.ts";
import type { Network } from "../../network/network.ts";
import { withAgentRights, withTmpfs, withWritableRoot } from "../../oci/spec-options.ts";
import { agentArgs, agentEnv } from "../program.ts";
import type { AgentCall, CallHandlers } from "./agent-call.ts";
import { AgentFiles } from "./agent-files.ts";
import { AgentLink } from "./agent-link.ts";
import { connectPort, type PortOptions } from "./port-connection.ts";
import { ProcessView } from "./process-view.ts";
import { Rest } from "./rest.ts";

export interface AgentOptions {
  image: Image;
  /** Size of /tmp. */
  tmpBytes: number;
  /** Directory of the host for what is written over the image. */
  overlayDirectory: string;
  /** What it is to be in besides its loopback; it goes with the agent. */
  network?: Network | undefined;
}

/** What a sandbox in stock may use; its taker's own limits come with it. */
const agentLimits = { memoryBytes: 512 * 1024 * 1024, pids: 1024 } as const;

/** Descriptors of the host in its stead would not survive in a snapshot. */
const stdio = { kind: "channel", stderr: true } as const;
/** An agent answers in milliseconds, unless somebody inside has stopped it. */
const agentTimeoutMs = 10_000;
/** How often is looked whether it could answer. */
const agentCheckMs = 500;
/** By how much an agent may take longer where the rest of its sandbox takes the processor time. */
const busyFactor = 3;
/** What of its processor time a sandbox takes where it is busy; one that only waits takes a few hundredths. */
const busyShare = 0.1;

/** What processes and file operations that say nothing else are done with. */
export interface AgentSettings {
  env: Readonly<Record<string, string>>;
  /** Name or number; an account of the image unless it is a number. */
  user: string;
  cwd?: string | undefined;
}

export interface SpawnOptions {
  args: readonly string[];
  env?: Readonly<Record<string, string>> | undefined;
  cwd?: string | undefined;
  user?: string | undefined;
  tag?: string | undefined;
  /** Gives the process a terminal of this size instead of pipes. */
  pty?: { cols: number; rows: number } | undefined;
  /** Whether input will come; without it the process reads from /dev/null. */
  stdin?: boolean | undefined;
  /** Whether the one who starts it is told of its end alone. A muted viewer never holds the process back. */
  muted?: boolean | undefined;
  /** Whether it is killed when the one who starts it goes away, and told of to nobody else. */
  bound?: boolean | undefined;
  /** For how long its beginning may wait to be told along with what comes next, which is a wake-up less for one that is short. */
  tellWithinMs?: number | undefined;
}

const configured = z.object({ user: z.string(), home: z.string(), cwd: z.string() });
type Configured = z.infer<typeof configured>;
const disk = z.object({ totalBytes: z.number(), freeBytes: z.number() });
const processList = z.object({
  processes: z.array(
    z.object({
      pid: z.int().positive(),
      tag: z.string().nullish(),
      args: z.array(z.string()),
      cwd: z.string(),
      user: z.string(),
      hasTerminal: z.boolean(),
      startedAtMs: z.int(),
    }),
  ),
});

/** A process of a sandbox as its agent lists it. */
export type AgentProcess = z.infer<typeof processList>["processes"][number];

/**
 * A container with Runlet's agent as its first process. Any number of things may be asked of it at once; when it
 * ends, so does the sandbox, and all that is open fails with `unavailable`.
 */
export class Agent implements AsyncDisposable {
  readonly init: Init;
  readonly files: AgentFiles;
  readonly #link: AgentLink;
  readonly #freezer: Freezer;
  readonly #rest: Rest;
  readonly #filestore: Filestore;
  readonly #network: Network | undefined;
  /** One at a time. */
  readonly #saves = new PQueue({ concurrency: 1 });
  /** What it was set up for last. */
  #setUp: { user: string; cwd: string | undefined; answer: Configured } | undefined;
  /** How much processor time it may have. */
  #cpus = 1;
  /** Whether it is to be frozen once it is saved. */
  #isToFreeze = false;

  private constructor(init: Init, channel: Duplex, network: Network | undefined) {
    this.init = init;
    this.#freezer = new Freezer(init);
    this.#rest = new Rest(this.#freezer, () => this.isAlive && this.#saves.pending === 0);
    this.#link = new AgentLink(channel, () => this.#rest.end());
    this.#network = network;
    this.files = new AgentFiles(this.#link);
    this.#filestore = new Filestore(() => init.processes());
  }

  /** Starts the container; the agent may still be coming up when this returns. */
  static async start(machine: Machine, options: AgentOptions): Promise<Agent> {
    const { image, tmpBytes, overlayDirectory, network } = options;
    await using stack = new AsyncDisposableStack();
    if (network !== undefined) stack.use(network);
    const spec = containerSpec({
      image,
      tmpBytes,
      args: agentArgs(),
      env: agentEnv,
      cwd: "/",
      mounts: [
        withWritableRoot(overlayDirectory),
        // Semaphores and shared memory of POSIX, as Python's multiprocessing wants them, are files there.
        withTmpfs("/dev/shm", tmpBytes),
        withAgentRights,
        ...(network === undefined ? [] : [network.inSpec]),
      ],
    });
    const init = stack.use(
      machine.container(spec, {
        stdio,
        limits: agentLimits,
      }),
    );
    const agent = await Agent.#launch(init, network);
    stack.move();
    return agent;
  }

  /**
   * Starts a copy of the sandbox that was saved to a directory. Its processes go on; what callers of the
   * original had asked for is forgotten.
   * @throws as Machine.restored and Init.start, the signal's reason.
   */
  static async restored(
    machine: Machine,
    directory: string,
    limits: Omit<ContainerLimits, "tmpBytes">,
    signal?: AbortSignal,
  ): Promise<Agent> {
    await using stack = new AsyncDisposableStack();
    const init = stack.use(await machine.restored(directory, { stdio, limits }));
    const agent = await Agent.#launch(init, undefined, signal);
    agent.#cpus = limits.cpus;
    using deadline = startDeadline("wake the copy of a sandbox", agentTimeoutMs, signal);
    await agent.#ask("wake the copy", "reset", {}, deadline.signal);
    stack.move();
    return agent;
  }

  static async #launch(init: Init, network?: Network, signal?: AbortSignal): Promise<Agent> {
    await init.create(signal);
    await init.start(signal);
    if (init.channel === undefined) throw new Error("A started agent has no channel");
    return new Agent(init, init.channel, network);
  }

  /** How much of the host's disk that takes what was written outside of /tmp, in bytes; undefined where it is not known. */
  get diskBytes(): number | undefined {
    return this.isAlive ? this.#filestore.sizeBytes() : undefined;
  }

  get isAlive(): boolean {
    return this.init.exit === undefined && !this.init.isCondemned && !this.#link.isClosed;
  }

  /**
   * Waits until the agent has come up.
   * @throws `failed_precondition` if the image has no python3 that it runs with, `unavailable` if it ends first for
   * another reason, the signal's reason.
   */
  async ready(signal?: AbortSignal): Promise<void> {
    if (await untilAborted(this.#link.hello, signal)) return;
    const { message, code, reason } = await this.init.wait(signal);
    const isOfImage = message === undefined ? reason === "exited" : message.includes('"python3"');
    if (isOfImage) {
      const fact =
        message === undefined ? `that of the image ended with code ${code}` : "it has none";
      throw new RunletError(
        "failed_precondition",
        `Cannot open a sandbox from the image: its agent needs python3, and ${fact}. Take an image that has it`,
      );
    }
    throw new RunletError(
      "unavailable",
      `Cannot open the sandbox: ${message ?? `its agent ended (${reason})`}. Try again, and run \`runlet doctor\` if it stays so`,
    );
  }

  /** Whether it stands still until it is thawed. */
  get isFrozen(): boolean {
    return (this.#freezer.isFrozen && !this.#rest.isOn) || this.#isToFreeze;
  }

  /** Stops its processor time; one that is being saved, once it is. */
  freeze(): void {
    if (!this.isAlive) return;
    this.#rest.giveUp();
    if (this.#saves.pending === 0) this.#freezer.freeze();
    else this.#isToFreeze = this.init.processes().length > 0;
  }

  thaw(): void {
    this.#isToFreeze = false;
    this.#rest.giveUp();
    this.#freezer.thaw();
  }

  /**
   * Stops its processor time until it is asked for something, where nothing was asked since the last look and nothing runs
   * inside; answers whether it rests now.
   * @throws `unavailable` if the sandbox ends meanwhile.
   */
  async rest(): Promise<boolean> {
    return await this.#rest.look(this.#link);
  }

  /**
   * Writes memory, files and processes to a new directory, for {@link Agent.restored}. The sandbox stands still
   * meanwhile; one that is frozen is thawed for it.
   * @throws `failed_precondition` for one with a network, and as Init.checkpoint.
   */
  async save(directory: string, signal?: AbortSignal): Promise<void> {
    if (this.#network !== undefined) {
      throw new RunletError(
        "failed_precondition",
        "Cannot save the sandbox: it has a network, whose connections and addresses no copy can have. Save one without a network",
      );
    }
    await this.#saves.add(async () => {
      this.#rest.end();
      this.#isToFreeze = this.isFrozen;
      this.#freezer.thaw();
      try {
        using deadline = startDeadline("save the sandbox", agentTimeoutMs, signal);
        using _quiet = await this.#link.quiet(deadline.signal);
        await this.init.checkpoint(directory, signal);
      } finally {
        if (this.#isToFreeze && this.isAlive) this.#freezer.freeze();
        this.#isToFreeze = false;
      }
    });
  }

  /** Sets what the sandbox may use from now on. @throws `unavailable` if the system refuses. */
  limit({ memoryBytes, cpus, pids }: Omit<ContainerLimits, "tmpBytes">): void {
    this.#cpus = cpus;
    this.init.limit({ memoryBytes, cpus, pids });
  }

  /**
   * Sets what is done with what; makes the user's home and the working directory where they are missing. Where only
   * the environment changes, the answer is known, and what is asked next comes behind it: that is not waited for.
   */
  async configure(settings: AgentSettings, signal?: AbortSignal): Promise<Configured> {
    const { user, cwd } = settings;
    const asked = this.#ask("set up the sandbox", "configure", settings, signal);
    const known = this.#setUp;
    if (known?.user === user && known.cwd === cwd && this.isAlive) {
      // What it could fail of is the end of the sandbox, which all that comes next is told.
      asked.catch(() => undefined);
      return known.answer;
    }
    const answer = configured.parse(await asked);
    this.#setUp = { user, cwd, answer };
    return answer;
  }

  /** Starts a process; it goes on when nobody looks any more. */
  async spawn(
    options: SpawnOptions,
    signal?: AbortSignal,
  ): Promise<ProcessView & { pid: number; startedAtMs: number }> {
    return await ProcessView.open(this.#link, "spawn", options, signal);
  }

  /** Starts a process that ends with the call, has messages beside its output, and is told of as they come. */
  converse(options: SpawnOptions, handlers: CallHandlers): AgentCall {
    const args = { ...options, bound: true, messages: true };
    return this.#link.open("spawn", args, handlers);
  }

  /** Looks at a process that was started here: what it has written, as far as it is kept, and what it goes on to. */
  async attach(
    pid: number,
    options: { fromStart?: boolean; muted?: boolean } = {},
    signal?: AbortSignal,
  ): Promise<ProcessView & { pid: number; startedAtMs: number }> {
    return await ProcessView.open(this.#link, "attach", { pid, ...options }, signal);
  }

  /** Feeds a process, as fast as it takes it. */
  async writeInput(pid: number, body: Uint8Array, signal?: AbortSignal): Promise<void> {
    const call = this.#link.open("input", { pid }, { what: `feed process ${pid}` });
    try {
      await call.write(body, signal);
      call.end();
      await untilAborted(call.result, signal);
    } catch (error) {
      call.cancel();
      throw error;
    }
  }

  async closeInput(pid: number, signal?: AbortSignal): Promise<void> {
    await this.#ask(`close the input of process ${pid}`, "closeInput", { pid }, signal);
  }

  /** Sends a signal to a process and to all of its session. */
  async signal(pid: number, signalNumber: number, signal?: AbortSignal): Promise<void> {
    await this.#ask(`signal process ${pid}`, "signal", { pid, signal: signalNumber }, signal);
  }

  /**
   * Kills a process and all of its session; one that is frozen or being saved does so once it goes on.
   * @throws `deadline_exceeded` where the agent gives no answer though it could.
   */
  async kill(pid: number): Promise<void> {
    const answered = Promise.allSettled([this.signal(pid, constants.signals.SIGKILL)]);
    let usedUs = this.#cpuUs();
    for (let leftMs = agentTimeoutMs; leftMs > 0;) {
      if (await Promise.race([answered, sleep(agentCheckMs, undefined, { ref: false })])) return;
      const beforeUs = usedUs;
      usedUs = this.#cpuUs();
      if (this.#freezer.isFrozen || this.#saves.pending > 0) continue;
      const isBusy = usedUs - beforeUs > this.#cpus * agentCheckMs * 1000 * busyShare;
      leftMs -= isBusy ? agentCheckMs / busyFactor : agentCheckMs;
    }
    throw new RunletError("deadline_exceeded", `Cannot kill process ${pid}: the agent is silent`);
  }

  async resize(
    pid: number,
    size: { cols: number; rows: number },
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#ask(`resize the terminal of process ${pid}`, "resize", { pid, ...size }, signal);
  }

  /** The processes that were started here and still run. */
  async processes(signal?: AbortSignal): Promise<AgentProcess[]> {
    return processList.parse(await this.#ask("list processes", "processes", {}, signal)).processes;
  }

  /** How much may be written, and how much of it still. */
  async disk(signal?: AbortSignal): Promise<z.infer<typeof disk>> {
    return disk.parse(await this.#ask("ask for free space", "disk", {}, signal));
  }

  /** Connects to a port on which something inside listens. @throws as connectPort. */
  async connect(port: number, options: PortOptions = {}): Promise<Duplex> {
    return await connectPort(this.#link, port, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#link.close();
    await this.init[Symbol.asyncDispose]();
    await this.#network?.[Symbol.asyncDispose]();
  }

  #cpuUs(): number {
    return this.init.usage()?.cpuUs ?? 0;
  }

  async #ask(
    what: string,
    op: string,
    args: object,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    return await untilAborted(this.#link.open(op, args, { what }).result, signal);
  }
}
