import { nowUs } from "../../../runtime/clock.ts";
import { startDeadline } from "../../../runtime/deadline.ts";
import type { Agent } from "../../../runtime/guest/agent/agent.ts";
import type { Image } from "../../../runtime/image/image.ts";
import type { ImageStore } from "../../../runtime/image/image-store.ts";
import type { AgentStocks } from "../../../runtime/pool/agent-stocks.ts";
import type { Taken } from "../../../runtime/pool/stock.ts";
import type { Networks } from "../../../runtime/network/networks.ts";
import type { SandboxRow, SandboxStore } from "../../../store/sandboxes.ts";
import type { KeyLimits } from "../../schema/key.ts";
import type { SandboxSpec, SandboxState, SandboxView } from "../../schema/sandbox.ts";
import { RunletError } from "../errors.ts";
import { newInvocationId } from "../invocation-id.ts";
import { withoutNulls } from "../nulls.ts";
import { type Page, pageOf } from "../page.ts";
import { Sandbox } from "./sandbox.ts";

export interface SandboxesOptions {
  store: SandboxStore;
  stocks: AgentStocks;
  images: ImageStore;
  networks: Networks;
  /** How many may be open at once. */
  maxSandboxes: number;
  /** How much memory the open ones may be allowed together, bytes. */
  maxMemoryBytes: number;
  /** Of how much those that one key opened may be, beside this. */
  limitsOf: (keyId: string) => KeyLimits;
  /** Told what went wrong where nobody waits. */
  onError: (error: unknown) => void;
}

/** A sandbox that is not open yet: what it is made of is there. */
export interface Brought {
  readonly agent: Agent;
  readonly start: SandboxView["start"];
  /** Directory that its commands run in. */
  readonly cwd: string;
}

export interface SandboxListOptions {
  state?: SandboxState | undefined;
  metadata?: Readonly<Record<string, string>> | undefined;
  before?: string | undefined;
  limit: number;
}

const createTimeoutMs = 60_000;
/** How often is looked at what sandboxes have written: a fast disk takes some hundred megabytes meanwhile. */
const diskCheckMs = 250;
/** Greater than any id. */
const afterAll = "g";

/** The sandboxes that clients have opened, and those that were. */
export class Sandboxes {
  readonly #options: SandboxesOptions;
  readonly #opened = new Map<string, Sandbox>();
  /** Of those that are being opened, so that many at once cannot pass a bound together. */
  readonly #pending = new Map<SandboxSpec, Promise<unknown>>();
  readonly #closing = new AbortController();
  readonly #closed = new AbortController();

  readonly #diskTimer: NodeJS.Timeout;

  constructor(options: SandboxesOptions) {
    this.#options = options;
    const boundDisks = (): void => this.#opened.values().forEach((each) => each.boundDisk());
    this.#diskTimer = setInterval(boundDisks, diskCheckMs).unref();
  }

  /** How many are open. */
  get size(): number {
    return this.#opened.size;
  }

  /**
   * Opens a sandbox; it is ready for commands when this returns.
   * @throws `resource_exhausted` where the machine is full, `not_found` for an image that is not there,
   * `invalid_argument` for a user that the image does not know and for what cannot be allowed, `unavailable`
   * where the host can give no network.
   */
  async create(spec: SandboxSpec, signal?: AbortSignal): Promise<SandboxView> {
    const bring = async (id: string, either: AbortSignal): Promise<Brought> =>
      await this.#start(id, spec, either);
    return await this.open(spec, bring, signal);
  }

  /**
   * Opens a sandbox that `bring` makes; it counts as open from now on. One whose caller has gone away is ended.
   * @throws `resource_exhausted` where the machine is full, what `bring` throws, the signal's reason.
   */
  async open(
    spec: SandboxSpec,
    bring: (id: string, signal: AbortSignal) => Promise<Brought>,
    callerSignal?: AbortSignal,
  ): Promise<SandboxView> {
    this.#closing.signal.throwIfAborted();
    this.requireRoom([spec]);
    const { signal: closing } = this.#closing;
    const given = callerSignal === undefined ? closing : AbortSignal.any([closing, callerSignal]);
    using deadline = startDeadline("open a sandbox", createTimeoutMs, given);
    const opening = this.#open(spec, { signal: deadline.signal, callerSignal }, bring);
    this.#pending.set(spec, opening);
    try {
      return await opening;
    } finally {
      this.#pending.delete(spec);
    }
  }

  /**
   * All of them are opened by the same key, if by any.
   * @throws `resource_exhausted` where the machine, or what the key may have, has no room for all of these at once.
   */
  requireRoom(wanted: readonly Pick<SandboxSpec, "memoryBytes" | "keyId">[]): void {
    const { maxSandboxes, maxMemoryBytes, limitsOf } = this.#options;
    const specs = [...[...this.#opened.values()].map(({ spec }) => spec), ...this.#pending.keys()];
    requireRoom(specs, wanted, { maxSandboxes, maxMemoryBytes, whose: "" });
    const keyId = wanted[0]?.keyId;
    if (keyId === undefined) return;
    const { maxSandboxes: most = Infinity, maxSandboxMemoryBytes = Infinity } = limitsOf(keyId);
    const own = specs.filter((spec) => spec.keyId === keyId);
    const room = { maxSandboxes: most, maxMemoryBytes: maxSandboxMemoryBytes };
    requireRoom(own, wanted, { ...room, whose: ` of key ${keyId}` });
  }

  /** A sandbox that is open. @throws `not_found`. */
  find(id: string): Sandbox {
    const sandbox = this.#opened.get(id);
    if (sandbox !== undefined) return sandbox;
    const row = this.#options.store.get(id);
    if (row === undefined) throw missing(id);
    throw new RunletError("not_found", `Cannot use sandbox ${id}: it has ended (${row.endReason})`);
  }

  /** A sandbox, open or ended. @throws `not_found`. */
  get(id: string): SandboxView {
    const row = this.#opened.get(id)?.row ?? this.#options.store.get(id);
    if (row === undefined) throw missing(id);
    return viewOf(row);
  }

  /** The newest first. */
  list({ state, metadata = {}, before = afterAll, limit }: SandboxListOptions): Page<SandboxView> {
    const query = { state, metadata, before, limit: limit + 1 };
    const rows = this.#options.store.list(query);
    return pageOf(rows, limit, { item: viewOf, cursor: ({ id }) => id });
  }

  /** Ends a sandbox; it stays on record. @throws `not_found`. */
  async remove(id: string): Promise<void> {
    await this.find(id).end("deleted");
  }

  /** Ends all that are open or about to be, and opens no more. */
  async close(): Promise<void> {
    this.#closing.abort(
      new RunletError("unavailable", "Cannot open a sandbox: the server shuts down"),
    );
    await Promise.allSettled(this.#pending.values());
    await Promise.all([...this.#opened.values()].map(async (each) => await each.end("shutdown")));
    clearInterval(this.#diskTimer);
    this.#closed.abort();
  }

  async #open(
    spec: SandboxSpec,
    { signal, callerSignal }: { signal: AbortSignal; callerSignal: AbortSignal | undefined },
    bring: (id: string, signal: AbortSignal) => Promise<Brought>,
  ): Promise<SandboxView> {
    const { store, onError } = this.#options;
    const id = newInvocationId();
    const { agent, start, cwd } = await bring(id, signal);
    try {
      signal.throwIfAborted();
      const full = { ...spec, cwd };
      const row = newRow(id, full, start);
      store.add(row);
      const onEnd = (): void => void this.#opened.delete(row.id);
      const { signal: closed } = this.#closed;
      const sandbox = new Sandbox({ row, spec: full, agent, store, onEnd, onError, closed });
      this.#opened.set(row.id, sandbox);
      callerSignal?.addEventListener("abort", () => sandbox.abandon(), { once: true });
      return viewOf(row);
    } catch (error) {
      this.#options.stocks.discard(agent);
      throw error;
    }
  }

  async #start(id: string, spec: SandboxSpec, signal: AbortSignal): Promise<Brought> {
    const { memoryBytes, cpus, pids, user, cwd } = spec;
    const { image, taken } = await this.#take(id, spec, signal);
    const { guest: agent, start } = taken;
    try {
      agent.limit({ memoryBytes, cpus, pids });
      const env = { ...image.env, ...spec.env };
      const configured = await agent.configure({ env, user, cwd }, signal);
      return { agent, start, cwd: configured.cwd };
    } catch (error) {
      this.#options.stocks.discard(agent);
      throw error;
    }
  }

  async #take(
    id: string,
    { image: name, tmpBytes, network: asked }: SandboxSpec,
    signal: AbortSignal,
  ): Promise<{ image: Image; taken: Taken<Agent> }> {
    const { stocks, images, networks } = this.#options;
    const image = await images.get(name);
    if (asked === undefined)
      return { image, taken: await stocks.take({ image, tmpBytes }, signal) };
    const network = await networks.create({ id, allow: asked.allow, signal });
    return { image, taken: await stocks.start({ image, tmpBytes }, network, signal) };
  }
}

interface Room {
  readonly maxSandboxes: number;
  readonly maxMemoryBytes: number;
  /** Whose room it is; nothing where it is that of all. */
  readonly whose: string;
}

type Sized = readonly Pick<SandboxSpec, "memoryBytes">[];

function requireRoom(
  open: Sized,
  wanted: Sized,
  { maxSandboxes, maxMemoryBytes, whose }: Room,
): void {
  const what = wanted.length === 1 ? "a sandbox" : `${wanted.length} sandboxes`;
  if (open.length + wanted.length > maxSandboxes) {
    throw new RunletError(
      "resource_exhausted",
      `Cannot open ${what}: ${open.length}${whose} are open of ${maxSandboxes} that may be`,
    );
  }
  const promised = sumOf(open);
  const memoryBytes = sumOf(wanted);
  if (promised + memoryBytes <= maxMemoryBytes) return;
  throw new RunletError(
    "resource_exhausted",
    `Cannot open ${what} with ${memoryBytes} bytes of memory: the open ones${whose} may use ${promised} of ${maxMemoryBytes}`,
  );
}

function newRow(
  id: string,
  { metadata, ...spec }: SandboxSpec,
  start: SandboxRow["start"],
): SandboxRow {
  const createdAtUs = nowUs();
  return {
    id,
    state: "running",
    spec: JSON.stringify(spec),
    metadata: JSON.stringify(metadata),
    start,
    createdAtUs,
    expiresAtUs: createdAtUs + spec.timeoutMs * 1000,
    endedAtUs: null,
    endReason: null,
  };
}

function viewOf({ spec, metadata, ...row }: SandboxRow): SandboxView {
  return {
    ...(JSON.parse(spec) as Omit<SandboxSpec, "metadata">),
    ...withoutNulls(row),
    metadata: JSON.parse(metadata) as SandboxView["metadata"],
  } as SandboxView;
}

function sumOf(specs: readonly Pick<SandboxSpec, "memoryBytes">[]): number {
  return specs.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
}

function missing(id: string): RunletError {
  return new RunletError("not_found", `Cannot find sandbox ${id}: there is none of that id`);
}
