import assert from "node:assert/strict";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../api/client/client.ts";
import { poll } from "../../runtime/deadline.ts";
import { networkSupport } from "../../runtime/network/support.ts";
import { openDatabase } from "../../store/database.ts";
import type { Caller } from "../load/act.ts";
import { buildActs } from "../load/build-acts.ts";
import { callbackSecret, functionActs, prepareFunctions } from "../load/function-acts.ts";
import { type Ledger, newLedger, type Tally, tallyOf } from "../load/ledger.ts";
import { load } from "../load/load.ts";
import { sandboxActs } from "../load/sandbox-acts.ts";
import {
  type ChildServer,
  directoriesIn,
  killStarting,
  startChildServer,
} from "../support/child-server.ts";
import { startReceiver } from "../support/receiver.ts";
import { cgroupTreesOf, leftoversOf, namespacesOf, nothingLeft } from "../support/sandboxes.ts";
import { tempDir } from "../support/temp-dir.ts";
import { holdToAll } from "./holds.ts";

/** What a server is at when it is killed. */
export const moments = ["serving", "starting", "draining"] as const;
export type Moment = (typeof moments)[number];

const functionCallers = 4;
const sandboxCallers = 2;
const env = {
  RUNLET_POOL_FLOOR: "1",
  RUNLET_POOL_MAX: "4",
  RUNLET_MAX_CONCURRENCY: "6",
  RUNLET_ALLOW_PRIVATE_CALLBACKS: "true",
};
/** A server that is to be killed under load has told callers so much at the most, and was under load for so long. */
const mostTold = 200;
const loadTimeoutMs = 5_000;
const sweepTimeoutMs = 30_000;

/** Tells where a torture is. */
export type OnKill = (kill: number, moment: Moment, tally: Tally) => void;

/**
 * Kills a server again and again under mixed load, at each moment of its life, and holds it to what it has told
 * its callers.
 * @throws AssertionError for what does not hold.
 */
export async function torture(kills: number, onKill: OnKill = () => {}): Promise<Tally> {
  await using dir = await tempDir();
  await using receiver = await startReceiver();
  const options = { directory: dir.path, env };
  const { dataDir, stateDir } = directoriesIn(dir.path);
  const hasNetworks = (await networkSupport()).isSupported;
  const caller = { ledger: newLedger(), callbackUrl: receiver.url, leavesOpen: true, hasNetworks };
  let orphans: string[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const moment = moments[kill % moments.length] ?? "serving";
    if (moment === "starting") await killStarting(options, Math.random() * 1500);
    else {
      await using server = await startChildServer(options);
      await areGone(orphans, stateDir);
      if (kill === 0) await prepare(server.client, receiver.url);
      await loadUntilKilled(server, caller, moment);
    }
    assert.deepEqual(damageIn(dataDir), []);
    orphans = idsUnder(stateDir);
    onKill(kill + 1, moment, tallyOf(caller.ledger));
  }
  {
    await using server = await startChildServer(options);
    await areGone(orphans, stateDir);
    await holdToAll(server.client, caller.ledger, receiver);
  }
  await nothingLeft(stateDir);
  assert.deepEqual(tracesOf(stateDir), []);
  assert.deepEqual(damageIn(dataDir), []);
  return tallyOf(caller.ledger);
}

async function prepare(client: Client, url: string): Promise<void> {
  await prepareFunctions(client);
  await client.putWebhook("told", { url, secret: callbackSecret, events: ["created", "ended"] });
}

async function loadUntilKilled(
  server: ChildServer,
  known: Omit<Caller, "client" | "signal">,
  moment: Moment,
): Promise<void> {
  const over = new AbortController();
  const caller = { ...known, client: server.client, signal: over.signal };
  const loading = Promise.all([
    load(caller, { acts: functionActs, callers: functionCallers, mayEnd: true }),
    load(caller, { acts: sandboxActs, callers: sandboxCallers, mayEnd: true }),
    load(caller, { acts: buildActs, callers: 1, mayEnd: true }),
  ]);
  await untilTold(known.ledger, Math.random() * mostTold);
  if (moment === "draining") {
    server.kill("SIGTERM");
    await sleep(Math.random() * 1500);
  }
  server.kill("SIGKILL");
  const end = await server.ended();
  // One that drains may have come to its end before.
  if (moment === "serving" || end.code !== 0) assert.equal(end.signal, "SIGKILL");
  over.abort();
  await loading;
}

/** Waits until callers have been told so much more; on a busy host a part of it is enough. */
async function untilTold(ledger: Ledger, more: number): Promise<void> {
  const told = (): number => {
    const { answered, accepted, sandboxes } = tallyOf(ledger);
    return answered + accepted + sandboxes;
  };
  const enough = told() + more;
  const probe = (): true | undefined => told() >= enough || undefined;
  await poll("see callers told", probe, { timeoutMs: loadTimeoutMs }).catch(() => undefined);
}

function damageIn(dataDir: string): string[] {
  using database = openDatabase(join(dataDir, "runlet.db"));
  return database.findDamage();
}

/** What is left of whatever runs under a state directory. */
function tracesOf(stateDir: string): string[] {
  // Both bear the path, the latter only so much of it as there is room for.
  const name = basename(dirname(stateDir));
  return [...leftoversOf(stateDir), ...cgroupTreesOf(name), ...namespacesOf(name)];
}

/** The ids in that of all containers, and of what they have a network by. */
function idsUnder(stateDir: string): string[] {
  const ids = tracesOf(stateDir).flatMap((trace) => trace.match(/\brlt-[0-9a-f]{16}\b/g) ?? []);
  return [...new Set([...ids, ...namespacesOf(basename(dirname(stateDir)))])];
}

/** Waits until nothing is left of those, whatever else runs now. */
async function areGone(ids: readonly string[], stateDir: string): Promise<void> {
  const left = (): string[] =>
    tracesOf(stateDir).filter((trace) => ids.some((id) => trace.includes(id)));
  const isClean = (): true | undefined => left().length === 0 || undefined;
  const options = { timeoutMs: sweepTimeoutMs, intervalMs: 50 };
  await poll("see orphans gone", isClean, options).catch(() => undefined);
  assert.deepEqual(left(), []);
}
