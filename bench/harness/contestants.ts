import type { PeerName } from "../peers/names.ts";
import { elapsedMs, type Isolator, type Timed } from "../peers/peer.ts";
import type { Contestant } from "./alternate.ts";

/** Peers that start a container each time are slow: so many samples of them tell enough. */
const mostSamples = 50;

/** For how long requests to a sandbox do not count at the beginning of a turn: after 80 of them none is faster. */
export const warmUpMs = 500;

/** What has the containers of a peer stand still while others are measured. */
export function besideOthers(isolator: Isolator): Pick<Contestant, "beside"> {
  return isolator.awake === undefined ? {} : { beside: isolator.awake.bind(isolator) };
}

/** Peers that are timed at one thing that each of them may be able to do; `variant` goes into their names. */
export function timedPeers(
  isolators: ReadonlyMap<PeerName, Isolator>,
  how: (isolator: Isolator) => (() => Promise<Timed>) | undefined,
  { runs, variant }: { runs: number; variant?: string },
): Contestant[] {
  return [...isolators].flatMap(([peer, isolator]) => {
    const timed = how(isolator);
    if (timed === undefined) return [];
    const name = variant === undefined ? peer : `${peer}@${variant}`;
    const sample = async (): Promise<number> => elapsedMs(await timed());
    return [{ name, samples: Math.min(runs, mostSamples), sample, ...besideOthers(isolator) }];
  });
}
