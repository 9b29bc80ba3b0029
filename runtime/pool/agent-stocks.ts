import { mkdir } from "node:fs/promises";
import { startDeadline } from "../deadline.ts";
import { isRunletError, RunletError } from "../errors.ts";
import { Agent } from "../guest/agent/agent.ts";
import type { Image } from "../image/image.ts";
import type { Machine } from "../machine.ts";
import type { Network } from "../network/network.ts";
import { guestUser } from "../oci/spec.ts";
import type { Starts } from "./starts.ts";
import { Stock, type StockState, type Taken } from "./stock.ts";

export interface AgentStocksOptions {
  machine: Machine;
  starts: Starts;
  /** Sandboxes that each image's stock keeps once one was asked for. */
  floor: number;
  /** Sandboxes of one stock at most. */
  ceiling: number;
  /** A member older than this is replaced, milliseconds. */
  maxAgeMs: number;
  /** Directory of the host for what sandboxes write over their images. */
  overlayDirectory: string;
}

/** What sandboxes must have in common to come from one stock. */
export interface AgentClass {
  image: Image;
  /** Size of /tmp. */
  tmpBytes: number;
}

const readyTimeoutMs = 30_000;
const trimEveryMs = 5000;

/** Started sandboxes that nobody has opened yet, by image. */
export class AgentStocks implements AsyncDisposable {
  readonly #options: AgentStocksOptions;
  readonly #stocks = new Map<string, Stock<Agent>>();
  readonly #ending = new Set<Promise<unknown>>();
  readonly #ticker: NodeJS.Timeout;
  #isClosed = false;

  private constructor(options: AgentStocksOptions) {
    this.#options = options;
    this.#ticker = setInterval(() => this.#stocks.forEach((stock) => stock.trim()), trimEveryMs);
    this.#ticker.unref();
  }

  /** Makes the directory for what sandboxes write. */
  static async open(options: AgentStocksOptions): Promise<AgentStocks> {
    await mkdir(options.overlayDirectory, { recursive: true, mode: 0o700 });
    return new AgentStocks(options);
  }

  get states(): ReadonlyMap<string, StockState> {
    return new Map([...this.#stocks].map(([key, stock]) => [key, stock.state]));
  }

  /** Takes a sandbox whose agent has come up. @throws the start's own error, the signal's reason. */
  async take(agentClass: AgentClass, signal: AbortSignal): Promise<Taken<Agent>> {
    if (this.#isClosed) throw closing();
    const taken = await this.#stockOf(agentClass).take(signal);
    try {
      taken.guest.thaw();
      await taken.guest.ready(signal);
      return taken;
    } catch (error) {
      this.discard(taken.guest);
      throw error;
    }
  }

  /** Starts a sandbox that is in a network, which no stock has; the network goes with it. */
  async start(
    { image, tmpBytes }: AgentClass,
    network: Network,
    signal: AbortSignal,
  ): Promise<Taken<Agent>> {
    const { machine, overlayDirectory } = this.#options;
    const agent = await Agent.start(machine, { image, tmpBytes, overlayDirectory, network });
    try {
      await agent.ready(signal);
      return { guest: agent, start: "cold" };
    } catch (error) {
      this.discard(agent);
      throw error;
    }
  }

  /** Fills the stock of a class before anybody asks. */
  fill(agentClass: AgentClass): void {
    if (!this.#isClosed) this.#stockOf(agentClass).refill();
  }

  /** Puts away a sandbox in the background. */
  discard(agent: Agent): void {
    const ending = agent[Symbol.asyncDispose]()
      .catch(() => undefined)
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#ticker);
    for (const stock of this.#stocks.values()) stock.close(closing());
    await this.#options.starts.idle();
    while (this.#ending.size > 0) await Promise.all(this.#ending);
  }

  #stockOf({ image, tmpBytes }: AgentClass): Stock<Agent> {
    const key = `${image.name}@${image.digest.slice(0, 12)}/agent/${tmpBytes}`;
    const { machine, starts, floor, ceiling, maxAgeMs, overlayDirectory } = this.#options;
    let stock = this.#stocks.get(key);
    if (stock === undefined) {
      stock = new Stock<Agent>({
        starts,
        bounds: () => ({ floor, ceiling }),
        maxAgeMs,
        start: async () => await Agent.start(machine, { image, tmpBytes, overlayDirectory }),
        prepare: async (agent) => {
          using deadline = startDeadline("start a sandbox", readyTimeoutMs);
          await setUp(agent, deadline.signal);
        },
        discard: (agent) => this.discard(agent),
      });
      this.#stocks.set(key, stock);
    }
    return stock;
  }
}

/** Has an agent do what most are asked first, which takes half as long the next time. */
async function setUp(agent: Agent, signal: AbortSignal): Promise<void> {
  await agent.ready(signal);
  try {
    await agent.configure({ env: {}, user: guestUser.name }, signal);
  } catch (error) {
    // An image may have no such account, and serve others.
    if (!isRunletError(error, "invalid_argument")) throw error;
  }
}

function closing(): RunletError {
  return new RunletError("unavailable", "Cannot open a sandbox: the server shuts down");
}
