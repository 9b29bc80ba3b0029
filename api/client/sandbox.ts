import type {
  SandboxChange,
  SandboxEvent,
  SandboxQuery,
  SandboxSpecInput,
  SandboxStats,
  SandboxView,
} from "../schema/sandbox.ts";
import type { ForkSpecInput, SnapshotSpecInput, SnapshotView } from "../schema/snapshot.ts";
import { type Bound, bound } from "./bound.ts";
import { ApiError } from "./errors.ts";
import type { FollowOptions } from "./follow.ts";
import type { Page } from "./methods.ts";
import type { SandboxCommandMethods } from "./sandbox-commands.ts";
import type { SandboxContextMethods } from "./sandbox-contexts.ts";
import type { SandboxFileMethods } from "./sandbox-files.ts";
import type { SandboxPortMethods } from "./sandbox-ports.ts";
import type { SandboxTerminalMethods } from "./sandbox-terminals.ts";
import type { SandboxMethods } from "./sandboxes.ts";
import type { SnapshotMethods } from "./snapshots.ts";

/** What a client can do with a sandbox whose id it says. */
type SandboxClient = SandboxMethods &
  SandboxCommandMethods &
  SandboxFileMethods &
  SandboxContextMethods &
  SandboxTerminalMethods &
  SandboxPortMethods &
  SnapshotMethods;

/** The methods of a client that are about a part of one sandbox, by their names there. */
const commandMethods = {
  run: "runCommand",
  stream: "streamCommand",
  start: "startCommand",
  list: "commands",
  get: "command",
  follow: "followCommand",
  write: "writeInput",
  closeInput: "closeInput",
  signal: "signalCommand",
  resize: "resizeTerminal",
} as const;

const fileMethods = {
  read: "readFile",
  readText: "readText",
  write: "writeFile",
  remove: "removeFile",
  stat: "statFile",
  list: "listFiles",
  makeDirectory: "makeDirectory",
  move: "moveFile",
  watch: "watchDirectory",
  pack: "packDirectory",
  unpack: "unpackDirectory",
} as const;

const contextMethods = {
  open: "openContext",
  list: "contexts",
  run: "runCode",
  stream: "streamCode",
  interrupt: "interruptContext",
  remove: "removeContext",
} as const;

const terminalMethods = { open: "openTerminal", attach: "attachTerminal" } as const;

const portMethods = { fetch: "fetchPort", connect: "connectPort" } as const;

/** One sandbox; disposing it deletes it. */
export class Sandbox implements AsyncDisposable {
  readonly id: string;
  readonly commands: Bound<SandboxClient, typeof commandMethods>;
  readonly files: Bound<SandboxClient, typeof fileMethods>;
  /** Where cells of code run. */
  readonly contexts: Bound<SandboxClient, typeof contextMethods>;
  readonly terminal: Bound<SandboxClient, typeof terminalMethods>;
  /** What servers inside are asked through. */
  readonly ports: Bound<SandboxClient, typeof portMethods>;
  readonly #client: SandboxClient;

  constructor(client: SandboxClient, id: string) {
    this.id = id;
    this.#client = client;
    this.commands = bound(client, id, commandMethods);
    this.files = bound(client, id, fileMethods);
    this.contexts = bound(client, id, contextMethods);
    this.terminal = bound(client, id, terminalMethods);
    this.ports = bound(client, id, portMethods);
  }

  /** What it is and how it is, open or ended. */
  async get(): Promise<SandboxView> {
    return await this.#client.getSandbox(this.id);
  }

  /** Sets its timeouts anew, or its metadata. */
  async update(change: SandboxChange): Promise<SandboxView> {
    return await this.#client.changeSandbox(this.id, change);
  }

  /** Stops its processor time; all that it holds stays. */
  async pause(): Promise<SandboxView> {
    return await this.#client.pauseSandbox(this.id);
  }

  /** Lets it go on. */
  async resume(): Promise<SandboxView> {
    return await this.#client.resumeSandbox(this.id);
  }

  /** What it uses, now and of late. */
  async stats(): Promise<SandboxStats> {
    return await this.#client.sandboxStats(this.id);
  }

  /** Tells what has happened to it, and what goes on to happen to its end. */
  events(
    options: FollowOptions & { after?: number | undefined } = {},
  ): AsyncGenerator<SandboxEvent> {
    return this.#client.followSandboxEvents(this.id, options);
  }

  /** Saves it with memory, processes and files; it goes on. */
  async snapshot(spec: SnapshotSpecInput = {}): Promise<SnapshotView> {
    return await this.#client.createSnapshot(this.id, spec);
  }

  /** Opens running copies of it, all or none; it goes on. */
  async fork(spec: ForkSpecInput = {}): Promise<Sandbox[]> {
    const copies = await this.#client.forkSandbox(this.id, spec);
    return copies.map((copy) => new Sandbox(this.#client, copy.id));
  }

  /** Ends it with all that runs inside. */
  async delete(): Promise<void> {
    await this.#client.removeSandbox(this.id);
  }

  /** As {@link delete}; one that has ended by itself is fine. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.delete();
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "not_found")) throw error;
    }
  }
}

/** Sandboxes as objects. */
export class Sandboxes {
  readonly #client: SandboxClient;

  constructor(client: SandboxClient) {
    this.#client = client;
  }

  /** Opens a sandbox; it is ready for commands when this returns: `await using box = await client.sandboxes.open()`. */
  async open(spec: SandboxSpecInput = {}): Promise<Sandbox> {
    return this.of((await this.#client.createSandbox(spec)).id);
  }

  /** The sandbox of an id; nothing is asked of the server. */
  of(id: string): Sandbox {
    return new Sandbox(this.#client, id);
  }

  /** A page of what sandboxes there are, open and ended, the newest first. */
  async list(query: SandboxQuery = {}): Promise<Page<SandboxView>> {
    return await this.#client.listSandboxes(query);
  }
}
