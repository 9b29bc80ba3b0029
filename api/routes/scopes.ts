import type { Scope } from "../schema/key.ts";

/** Who may use an operation: anybody, or whoever has a key with one of these scopes. `admin` is good for all. */
export type Access = "anybody" | readonly Scope[];

interface TagAccess {
  /** For operations that change nothing: GET. */
  readonly read: Access;
  readonly change: Access;
}

/** The same whatever the method. */
const ofSandboxes = ["sandbox"] as const;

/** What each tag of the API is open to; an operation without a row is open to nobody. */
const byTag = {
  functions: { read: ["invoke", "deploy"], change: ["deploy"] },
  aliases: { read: ["invoke", "deploy"], change: ["deploy"] },
  invocations: { read: ["invoke", "deploy"], change: ["invoke"] },
  logs: { read: ["invoke", "deploy"], change: [] },
  execute: { read: ["sandbox"], change: ["sandbox"] },
  events: { read: ["invoke", "deploy"], change: ["invoke"] },
  "dead letters": { read: ["invoke", "deploy"], change: ["deploy"] },
  schedules: { read: ["invoke", "deploy"], change: ["deploy"] },
  secrets: { read: ["deploy"], change: ["deploy"] },
  sandboxes: { read: ["sandbox"], change: ["sandbox"] },
  "sandbox commands": { read: ["sandbox"], change: ["sandbox"] },
  "sandbox contexts": { read: ["sandbox"], change: ["sandbox"] },
  "sandbox files": { read: ["sandbox"], change: ["sandbox"] },
  // Which methods change something is known to the server inside alone.
  "sandbox ports": { read: ofSandboxes, change: ofSandboxes },
  snapshots: { read: ["sandbox"], change: ["sandbox"] },
  // Each tool asks again, with the scope that it needs.
  mcp: { read: ["invoke", "sandbox"], change: ["invoke", "sandbox"] },
  // What happens to everybody's sandboxes goes there.
  webhooks: { read: [], change: [] },
  images: { read: ["invoke", "deploy", "sandbox"], change: ["deploy"] },
  // Each function says itself who may call it there.
  "function URLs": { read: "anybody", change: "anybody" },
  keys: { read: ["admin"], change: ["admin"] },
  // Whether it is well, and what its API is like: the same for every Runlet of a version.
  server: { read: "anybody", change: [] },
} as const satisfies Readonly<Record<string, TagAccess>>;

/** Operations that are open to others than the rest of their tag is. */
const byOperation: Readonly<Record<string, Access>> = {
  getMetrics: ["metrics"],
};

export type Tag = keyof typeof byTag;

/** An operation as far as access goes. */
export interface AccessibleOperation {
  readonly method: string;
  readonly operationId?: string | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** Who may use an operation. */
export function accessTo({ method, operationId = "", tags = [] }: AccessibleOperation): Access {
  const own = byOperation[operationId];
  if (own !== undefined) return own;
  const row: TagAccess | undefined = byTag[tags[0] as Tag];
  return (method.toLowerCase() === "get" ? row?.read : row?.change) ?? [];
}
