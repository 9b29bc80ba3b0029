import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { nowUs, Timeline } from "../../../runtime/clock.ts";
import { startDeadline } from "../../../runtime/deadline.ts";
import { captureBoth } from "../../../runtime/container/stdio/capture.ts";
import type { SpawnOptions } from "../../../runtime/guest/agent/agent.ts";
import type { ProcessExit, ProcessView } from "../../../runtime/guest/agent/process-view.ts";
import type { SandboxCommandRow, SandboxStore } from "../../../store/sandboxes.ts";
import type { CommandResult, CommandSpec, SandboxCommand } from "../../schema/sandbox-command.ts";
import { isRunletError, RunletError } from "../errors.ts";
import { newInvocationId } from "../invocation-id.ts";
import { withoutNulls } from "../nulls.ts";
import { type Page, pageOf } from "../page.ts";
import { encodedText } from "../text.ts";
import type { Sandbox } from "./sandbox.ts";
import type { Sandboxes } from "./sandboxes.ts";
import { signalName, signalNumber } from "./signals.ts";

/** A command that runs, and what its starter is shown of it. */
export interface StartedCommand {
  readonly command: SandboxCommand;
  readonly view: ProcessView;
  /** The command as it is on record once it has ended; rejects if the sandbox ends first. */
  readonly ended: Promise<SandboxCommand>;
}

export interface CommandsOptions {
  sandboxes: Sandboxes;
  store: SandboxStore;
  /** Told what could not be put on record. */
  onError: (error: unknown) => void;
}

/** Which commands of a sandbox are listed. */
interface CommandFilter {
  before?: string | undefined;
  state?: "running" | "ended" | undefined;
  limit: number;
}

type OnKilled = (exit: ProcessExit) => void;

const greatestId = "g";
const agentTimeoutMs = 30_000;
/** How far the clock inside may be from ours; numbers of processes are not given anew as soon as that. */
const clockSlackUs = 1_000_000;
/**
 * How long the beginning of a command may wait to be told of where nobody is shown it: most have ended by then, and
 * being told of both at once leaves a small machine to the command.
 */
const tellWithinMs = 20;
/** After which time an end is written again that could not be. */
const retryMs = 1000;

/** The commands that are run in sandboxes: started, watched to their end, on record. */
export class Commands {
  readonly #sandboxes: Sandboxes;
  readonly #store: SandboxStore;
  readonly #onError: (error: unknown) => void;
  /** How those that run end, by id. */
  readonly #running = new Map<string, Promise<SandboxCommand>>();
  /** Those that are over their time and about to be killed, by sandbox. */
  readonly #overdue = new Map<string, Set<OnKilled>>();

  constructor({ sandboxes, store, onError }: CommandsOptions) {
    this.#sandboxes = sandboxes;
    this.#store = store;
    this.#onError = onError;
  }

  /** Starts a command; it goes on when nobody looks at it. @throws `not_found`, `invalid_argument`. */
  async start(sandboxId: string, spec: CommandSpec): Promise<StartedCommand> {
    return await this.#start(sandboxId, spec, { isShown: true });
  }

  async #start(
    sandboxId: string,
    spec: CommandSpec,
    { isShown }: { isShown: boolean },
  ): Promise<StartedCommand> {
    const sandbox = this.#sandboxes.find(sandboxId);
    const agent = sandbox.use();
    const { cwd, user, tag, terminal, stdin, timeoutMs } = spec;
    const options = spawnOptionsOf(spec, isShown);
    using deadline = startDeadline("start the command", agentTimeoutMs);
    const timeline = new Timeline();
    const view = await agent.spawn(options, deadline.signal);
    const row: SandboxCommandRow = {
      ...newRow(sandboxId, view.pid, options.args, Math.round(timeline.at(view.startedAtMs))),
      cwd: cwd ?? null,
      user: user ?? null,
      tag: tag ?? null,
      hasTerminal: terminal === undefined ? 0 : 1,
    };
    let ended: Promise<SandboxCommand>;
    try {
      ended = this.#begin(sandbox, view, row, timeoutMs);
    } catch (error) {
      // What is not on record could not be found again.
      view.detach();
      void agent.signal(view.pid, constants.signals.SIGKILL).catch(this.#onError);
      throw error;
    }
    if (stdin !== undefined) void feed(view, stdin).catch(this.#onError);
    return { command: viewOf(row), view, ended };
  }

  /** Puts on record what runs already in a sandbox that is a copy, as commands of its own. */
  async adopt(sandboxId: string): Promise<void> {
    const sandbox = this.#sandboxes.find(sandboxId);
    using deadline = startDeadline("find what runs in the copy", agentTimeoutMs);
    const { signal } = deadline;
    for (const process of await sandbox.agent.processes(signal)) {
      const { pid, args, cwd, user, tag } = process;
      let view: ProcessView & { pid: number };
      try {
        view = await sandbox.agent.attach(pid, { muted: true }, signal);
      } catch (error) {
        if (isRunletError(error, "not_found")) continue;
        throw error;
      }
      void this.#begin(sandbox, view, {
        ...newRow(sandboxId, pid, args, process.startedAtMs * 1000),
        cwd,
        user,
        tag: tag ?? null,
        hasTerminal: process.hasTerminal ? 1 : 0,
      });
    }
  }

  /** Runs a command to its end, whose output is kept up to a bound. @throws as {@link start}, `unavailable`. */
  async run(sandboxId: string, spec: CommandSpec, signal: AbortSignal): Promise<CommandResult> {
    const started = await this.#start(sandboxId, spec, { isShown: false });
    using _busy = this.#sandboxes.find(sandboxId).activity.begin();
    const kept = captureBoth(spec.outputBytes);
    try {
      for (;;) {
        const piece = await started.view.next(signal);
        if (piece === undefined) break;
        if ("body" in piece)
          kept[piece.stream === "stderr" ? "stderr" : "stdout"].write(piece.body);
      }
    } catch (error) {
      this.leave(started, spec);
      throw error;
    }
    const command = await started.ended;
    const outputOf = (of: "stdout" | "stderr"): CommandResult["stdout"] => ({
      ...encodedText(kept[of].toBuffer()),
      truncated: kept[of].truncated,
    });
    return { ...command, stdout: outputOf("stdout"), stderr: outputOf("stderr") };
  }

  /** Looks no more at a command that was started with `spec`. */
  leave({ command, view }: StartedCommand, spec: CommandSpec): void {
    view.detach();
    if (spec.killOnDisconnect)
      void this.signal(command.sandboxId, command.id, "SIGKILL").catch(() => undefined);
  }

  /** Looks at a command: what it wrote, as far as it is kept inside, and what it goes on to write. */
  async attach(sandboxId: string, id: string): Promise<StartedCommand> {
    const command = this.get(sandboxId, id);
    const agent = this.#sandboxes.find(sandboxId).use();
    const running = this.#running.get(id);
    using deadline = startDeadline(`follow command ${id}`, agentTimeoutMs);
    const view = await agent.attach(command.pid, {}, deadline.signal).catch((error: unknown) => {
      throw isRunletError(error, "not_found") ? noLongerKept(id) : error;
    });
    if (view.startedAtMs * 1000 > (command.endedAtUs ?? Infinity) + clockSlackUs) {
      view.detach();
      throw noLongerKept(id);
    }
    return { command, view, ended: running ?? Promise.resolve(command) };
  }

  /** A command on record. @throws `not_found`. */
  get(sandboxId: string, id: string): SandboxCommand {
    this.#sandboxes.get(sandboxId);
    const row = this.#store.command(sandboxId, id);
    if (row !== undefined) return viewOf(row);
    throw new RunletError(
      "not_found",
      `Cannot find command ${id} of sandbox ${sandboxId}: there is none of that id`,
    );
  }

  /** The newest first. @throws `not_found`. */
  list(
    sandboxId: string,
    { before = greatestId, state, limit }: CommandFilter,
  ): Page<SandboxCommand> {
    this.#sandboxes.get(sandboxId);
    const rows = this.#store.commands({
      sandboxId,
      before,
      state: state ?? null,
      limit: limit + 1,
    });
    return pageOf(rows, limit, { item: viewOf, cursor: ({ id }) => id });
  }

  /** Sends a signal to a command and to all of its session. @throws `not_found` once it has ended. */
  async signal(sandboxId: string, id: string, name: string): Promise<void> {
    const pid = this.#pidOf(sandboxId, id);
    const agent = this.#sandboxes.find(sandboxId).use();
    using deadline = startDeadline(`signal command ${id}`, agentTimeoutMs);
    await agent.signal(pid, signalNumber(name), deadline.signal);
  }

  /** Feeds a command with input. @throws `not_found` once it has ended. */
  async write(sandboxId: string, id: string, body: Uint8Array, signal: AbortSignal): Promise<void> {
    const pid = this.#pidOf(sandboxId, id);
    await this.#sandboxes.find(sandboxId).use().writeInput(pid, body, signal);
  }

  /** Tells a command that there is no more input; one that has ended needs not be told. */
  async closeInput(sandboxId: string, id: string): Promise<void> {
    const { pid, endedAtUs } = this.get(sandboxId, id);
    if (endedAtUs !== undefined) return;
    const agent = this.#sandboxes.find(sandboxId).use();
    using deadline = startDeadline(`close the input of command ${id}`, agentTimeoutMs);
    await agent.closeInput(pid, deadline.signal);
  }

  /** Sets the size of a command's terminal. @throws `failed_precondition` if it has none, `not_found` once it has ended. */
  async resize(sandboxId: string, id: string, size: { cols: number; rows: number }): Promise<void> {
    const pid = this.#pidOf(sandboxId, id);
    const agent = this.#sandboxes.find(sandboxId).use();
    using deadline = startDeadline(`resize the terminal of command ${id}`, agentTimeoutMs);
    await agent.resize(pid, size, deadline.signal);
  }

  /** Where a command runs; the number of one that has ended may be that of another by now. @throws `not_found`. */
  #pidOf(sandboxId: string, id: string): number {
    const { pid, endedAtUs } = this.get(sandboxId, id);
    if (endedAtUs === undefined) return pid;
    throw new RunletError("not_found", `Cannot reach command ${id}: it has ended`);
  }

  /** Puts a command on record, and watches it. */
  #begin(
    sandbox: Sandbox,
    view: ProcessView & { pid: number },
    row: SandboxCommandRow,
    timeoutMs?: number,
  ): Promise<SandboxCommand> {
    this.#store.addCommand(row);
    const ended = this.#watch(sandbox, view, row, timeoutMs);
    this.#running.set(row.id, ended);
    // Whoever waits is told of it too.
    ended.catch(() => undefined).finally(() => this.#running.delete(row.id));
    return ended;
  }

  async #watch(
    sandbox: Sandbox,
    view: ProcessView & { pid: number },
    row: SandboxCommandRow,
    timeoutMs: number | undefined,
  ): Promise<SandboxCommand> {
    const overdue = Promise.withResolvers<ProcessExit>();
    let isTimedOut = false;
    const expire = (): void => {
      isTimedOut = true;
      void this.#killFor(sandbox, view.pid, overdue.resolve).catch(this.#onError);
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(expire, timeoutMs);
    timer?.unref();
    try {
      const exit = await Promise.race([this.#exitOf(sandbox, view), overdue.promise]);
      const ended = { ...row, ...endOf(exit, isTimedOut, row) };
      await this.#record(sandbox, ended);
      return viewOf(ended);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Kills what has had its time. Where the agent does not do so, the sandbox ends with all that is in it; those that
   * are over their time are told before, by their `onKilled`.
   */
  async #killFor(sandbox: Sandbox, pid: number, onKilled: OnKilled): Promise<void> {
    const overdue = this.#overdue.get(sandbox.id) ?? new Set();
    this.#overdue.set(sandbox.id, overdue.add(onKilled));
    try {
      await sandbox.agent.kill(pid);
    } catch (error) {
      if (!isRunletError(error, "deadline_exceeded")) throw error;
      const signal = constants.signals.SIGKILL;
      for (const told of overdue) told({ code: 128 + signal, signal, endedAtMs: Date.now() });
      await sandbox.end("unresponsive");
    } finally {
      overdue.delete(onKilled);
      if (overdue.size === 0) this.#overdue.delete(sandbox.id);
    }
  }

  /** Puts an end on record, as soon as that can be written; the end of the sandbox does so too. */
  async #record(sandbox: Sandbox, ended: SandboxCommandRow): Promise<void> {
    for (;;) {
      try {
        return this.#store.endCommand(ended);
      } catch (error) {
        this.#onError(error);
        if (!sandbox.isOpen) return;
        await sleep(retryMs, undefined, { ref: false });
      }
    }
  }

  /** How a process ends, also where the one that was shown its output has gone away. */
  async #exitOf(sandbox: Sandbox, view: ProcessView & { pid: number }): Promise<ProcessExit> {
    try {
      return await view.exit;
    } catch (error) {
      const isLeft = error instanceof RunletError && error.code === "cancelled";
      if (!isLeft) throw error;
      const silent = await sandbox.agent.attach(view.pid, { muted: true });
      return await silent.exit;
    }
  }
}

function noLongerKept(id: string): RunletError {
  return new RunletError(
    "not_found",
    `Cannot follow command ${id}: it has ended, and its output is not kept any more`,
  );
}

function newRow(
  sandboxId: string,
  pid: number,
  args: readonly string[],
  startedAtUs: number,
): SandboxCommandRow {
  return {
    id: newInvocationId(),
    sandboxId,
    pid,
    args: JSON.stringify(args),
    cwd: null,
    user: null,
    tag: null,
    hasTerminal: 0,
    startedAtUs,
    endedAtUs: null,
    exitCode: null,
    signal: null,
    reason: null,
  };
}

/** What the agent is asked for; `isShown` is whether somebody is shown the command's beginning. */
function spawnOptionsOf(spec: CommandSpec, isShown: boolean): SpawnOptions {
  const { env, cwd, user, tag, terminal, stdin, hasStdin, timeoutMs, background } = spec;
  const { killOnDisconnect } = spec;
  const isFed = stdin !== undefined || hasStdin || terminal !== undefined;
  // What the host does from the beginning on, feed it or see to its end, is not to begin late.
  const isWatched = isShown || isFed || timeoutMs !== undefined || killOnDisconnect;
  return {
    args: spec.args ?? ["/bin/sh", "-c", spec.command ?? ""],
    env,
    stdin: isFed,
    muted: background,
    ...(!isWatched && { tellWithinMs }),
    ...(cwd !== undefined && { cwd }),
    ...(user !== undefined && { user }),
    ...(tag !== undefined && { tag }),
    ...(terminal !== undefined && { pty: terminal }),
  };
}

async function feed(view: ProcessView, text: string): Promise<void> {
  await view.write(Buffer.from(text));
  view.endInput();
}

function endOf(
  exit: ProcessExit,
  isTimedOut: boolean,
  { startedAtUs }: SandboxCommandRow,
): Partial<SandboxCommandRow> {
  const signal = exit.signal === null ? null : signalName(exit.signal);
  const reason = isTimedOut ? "timeout" : signal === null ? "exited" : "signaled";
  const endedAtUs = Math.max(startedAtUs, nowUs());
  return { endedAtUs, exitCode: exit.code, signal, reason };
}

function viewOf({ args, hasTerminal, ...row }: SandboxCommandRow): SandboxCommand {
  return {
    ...withoutNulls(row),
    args: JSON.parse(args) as string[],
    hasTerminal: hasTerminal === 1,
  };
}
