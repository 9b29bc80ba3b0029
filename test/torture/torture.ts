import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../api/client/client.ts";
import { poll } from "../../runtime/deadline.ts";
import { openDatabase } from "../../store/database.ts";
import { type ChildServer, startChildServer } from "../support/child-server.ts";
import { cgroupsOf, leftoversOf, nothingLeft } from "../support/sandboxes.ts";
import { tempDir } from "../support/temp-dir.ts";
import { type Ledger, load, newLedger, prepareLoad } from "./load.ts";

const callers = 6;
const env = { RUNLET_POOL_FLOOR: "1", RUNLET_POOL_MAX: "4", RUNLET_MAX_CONCURRENCY: "6" };
const endTimeoutMs = 60_000;

/** What a torture has come to. */
export interface Tally {
  readonly answered: number;
  readonly accepted: number;
  readonly sandboxes: number;
}

/**
 * Kills a server at random moments of a mixed load, and holds it to what it has told its callers.
 * @throws AssertionError for what does not hold.
 */
export async function torture(
  kills: number,
  onKill: (kill: number, tally: Tally) => void = () => {},
): Promise<Tally> {
  await using dir = await tempDir();
  const ledger = newLedger();
  for (let kill = 0; kill < kills; kill++) {
    await using server = await startChildServer({ directory: dir.path, env });
    if (kill === 0) await prepareLoad(server.client);
    await loadUntilKilled(server, ledger);
    onKill(kill + 1, tallyOf(ledger));
  }
  const server = await startChildServer({ directory: dir.path, env });
  {
    await using _server = server;
    assert.deepEqual(ledger.surprises, []);
    await nothingRuns(server.client);
    await holdAnswers(server.client, ledger);
    await holdEvents(server.client, ledger);
    await holdSandboxes(server.client, ledger);
  }
  await nothingLeft(server.stateDir);
  assert.deepEqual(leftoversOf(server.stateDir), []);
  assert.deepEqual(cgroupsOf(server.stateDir.replaceAll("/", "-")), []);
  using database = openDatabase(join(server.dataDir, "runlet.db"));
  assert.deepEqual(database.findDamage(), []);
  return tallyOf(ledger);
}

async function loadUntilKilled(server: ChildServer, ledger: Ledger): Promise<void> {
  const over = new AbortController();
  const loading = load(server.client, ledger, { callers, signal: over.signal });
  await sleep(300 + Math.random() * 2500);
  server.kill("SIGKILL");
  assert.deepEqual(await server.ended(), { code: null, signal: "SIGKILL" });
  over.abort();
  await loading;
}

/** What ran when the server was killed is on record as lost, and runs nowhere. */
async function nothingRuns(client: Client): Promise<void> {
  const isDone = async (): Promise<true | undefined> => {
    const states = await Promise.all([
      client.invocations({ status: "running", limit: 1 }),
      client.invocations({ status: "queued", limit: 1 }),
      client.events({ state: "queued", limit: 1 }),
      client.events({ state: "running", limit: 1 }),
    ]);
    return states.every(({ items }) => items.length === 0) ? true : undefined;
  };
  await poll("see every accepted event end", isDone, { timeoutMs: endTimeoutMs });
}

async function holdAnswers(client: Client, { answered }: Ledger): Promise<void> {
  for (const [id, told] of answered) {
    const { status, answerBytes, stdout } = await client.invocation(id);
    assert.equal(status, "succeeded", id);
    if (told.answerBytes !== undefined) assert.equal(answerBytes, told.answerBytes, id);
    if (told.stdout !== undefined) assert.equal(stdout, told.stdout, id);
  }
}

async function holdEvents(client: Client, { accepted }: Ledger): Promise<void> {
  for (const id of accepted) {
    const { state, invocations } = await client.event(id);
    assert.equal(state, "succeeded", id);
    assert.equal(invocations.at(-1)?.status, "succeeded", id);
  }
}

async function holdSandboxes(client: Client, { opened, commands }: Ledger): Promise<void> {
  for (const id of opened) {
    const { state, endReason } = await client.getSandbox(id);
    assert.equal(state, "ended", id);
    assert.ok(endReason === "lost" || endReason === "deleted", `${id}: ${endReason}`);
  }
  for (const [id, { sandboxId, exitCode }] of commands) {
    assert.equal((await client.command(sandboxId, id)).exitCode, exitCode, id);
  }
}

function tallyOf({ answered, accepted, opened }: Ledger): Tally {
  return { answered: answered.size, accepted: accepted.size, sandboxes: opened.size };
}
