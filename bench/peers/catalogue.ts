import { dockerRunc, dockerRunsc } from "./docker.ts";
import type { PeerName } from "./names.ts";
import { nativePeer } from "./native.ts";
import { nodeHttp } from "./node-http.ts";
import type { Peer } from "./peer.ts";
import { podman } from "./podman.ts";
import { runscPeer } from "./runsc.ts";
import { workerd } from "./workerd.ts";

/** All peers by name. */
export const peerCatalogue: Readonly<Record<PeerName, Peer>> = {
  runsc: runscPeer,
  "docker-runsc": dockerRunsc,
  "docker-runc": dockerRunc,
  podman,
  native: nativePeer,
  "node-http": nodeHttp,
  workerd,
};
