import { z } from "zod";
import type { Freezer } from "../../container/freezer.ts";
import type { AgentLink } from "./agent-link.ts";

const idle = z.object({ isIdle: z.boolean() });

/**
 * Has a sandbox in which nothing runs stand still until it is asked for something: runsc takes some hundredths of a core
 * also where all that runs in it sleeps.
 */
export class Rest {
  readonly #freezer: Freezer;
  readonly #isFree: () => boolean;
  #isOn = false;
  /** How many calls there had been at the last look; -1 where one went on. */
  #callCount = 0;

  /** `isFree` tells whether nothing but calls, and nobody who has frozen it, stands against a rest. */
  constructor(freezer: Freezer, isFree: () => boolean) {
    this.#freezer = freezer;
    this.#isFree = isFree;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /**
   * Begins it where nothing was asked since the last look, and nothing is inside but the agent; answers whether it rests.
   * @throws `unavailable` if the sandbox ends meanwhile.
   */
  async look(link: AgentLink): Promise<boolean> {
    if (this.#isOn) return true;
    const isQuiet = link.callCount === this.#callCount;
    // One that goes on was asked for until it ends.
    this.#callCount = link.openCalls > 0 ? -1 : link.callCount;
    if (!isQuiet || !this.#isUnused(link)) return false;
    const { isIdle } = idle.parse(await link.open("idle", {}, { what: "ask what runs" }).result);
    const isAsked = link.callCount !== ++this.#callCount;
    if (!isIdle || isAsked || !this.#isUnused(link)) return false;
    this.#freezer.freeze();
    this.#isOn = this.#freezer.isFrozen;
    return this.#isOn;
  }

  /** Ends it for what is about to be asked. */
  end(): void {
    if (this.#isOn) this.#freezer.thaw();
    this.#isOn = false;
  }

  /** The freezer is somebody else's now. */
  giveUp(): void {
    this.#isOn = false;
  }

  #isUnused(link: AgentLink): boolean {
    return link.openCalls === 0 && !this.#freezer.isFrozen && this.#isFree();
  }
}
