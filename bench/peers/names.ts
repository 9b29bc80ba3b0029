/** What Runlet can be set against. */
export const peerNames = [
  "runsc",
  "docker-runsc",
  "docker-runc",
  "podman",
  "native",
  "node-http",
  "workerd",
] as const;

export type PeerName = (typeof peerNames)[number];

/** Those that run a function in a container or a process of its own. */
export const isolators = [
  "runsc",
  "docker-runsc",
  "docker-runc",
  "podman",
  "native",
] as const satisfies readonly PeerName[];

/** Those that answer over HTTP from a process that is there already. */
export const httpServers = ["node-http", "workerd"] as const satisfies readonly PeerName[];
