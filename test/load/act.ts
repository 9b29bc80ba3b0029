import type { Client } from "../../api/client/client.ts";
import type { Ledger } from "./ledger.ts";

/** Who does something, and where what it is told is written down. */
export interface Caller {
  readonly client: Client;
  readonly ledger: Ledger;
  /** Aborts what is under way where the load is over. */
  readonly signal: AbortSignal;
  /** Where the ends of events may be posted, if anywhere. */
  readonly callbackUrl?: string | undefined;
  /** Whether some sandboxes are left open, for the server's end to find. */
  readonly leavesOpen: boolean;
  /** Whether sandboxes here can have a network. */
  readonly hasNetworks: boolean;
}

/** One thing that a caller does. */
export type Act = (caller: Caller) => Promise<void>;

/** Acts by name, each with how often it is done beside the others. */
export type Acts = Readonly<Record<string, readonly [weight: number, act: Act]>>;

/** One of those, by chance. */
export function pick(acts: Acts): Act {
  const all = Object.values(acts);
  let left = Math.random() * all.reduce((sum, [weight]) => sum + weight, 0);
  const found = all.find(([weight]) => (left -= weight) < 0) ?? all[0];
  if (found === undefined) throw new Error("There is nothing to do");
  return found[1];
}

export function isChance(share: number): boolean {
  return Math.random() < share;
}

/** @throws Error that names what a caller was told, where it is not so. */
export function expect(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`A caller was told otherwise: ${what}`);
}
