import assert from "node:assert/strict";
import type { Client } from "../../api/client/client.ts";
import { poll } from "../../runtime/deadline.ts";
import { scheduleName } from "../load/function-acts.ts";
import type { Ledger, Told } from "../load/ledger.ts";
import { isQuiet } from "../load/quiet.ts";
import type { Received, Receiver } from "../support/receiver.ts";

const endTimeoutMs = 60_000;
const endReasons: ReadonlySet<string | undefined> = new Set(["lost", "deleted", "shutdown"]);

/** Holds a server's record, and what it has told others, to what it has told callers. @throws AssertionError. */
export async function holdToAll(client: Client, ledger: Ledger, told: Receiver): Promise<void> {
  assert.deepEqual(ledger.surprises, []);
  await client.pauseSchedule(scheduleName);
  const isHandedOver = async (): Promise<true | undefined> =>
    (await client.getSchedule(scheduleName)).last?.status !== "accepting" || undefined;
  await poll("see the last due time handed over", isHandedOver, { timeoutMs: endTimeoutMs });
  // What ran when the server was killed is on record as lost, and runs nowhere.
  const isDone = async (): Promise<true | undefined> => (await isQuiet(client)) || undefined;
  await poll("see every accepted event end", isDone, { timeoutMs: endTimeoutMs });
  assert.deepEqual((await client.deadLetters()).items, []);
  await holdAnswers(client, ledger);
  await holdKeys(client, ledger);
  await holdBuilds(client, ledger);
  await holdEvents(client, ledger);
  await holdSandboxes(client, ledger);
  await holdSnapshots(client, ledger);
  await holdDeliveries(ledger, told);
}

async function holdAnswers(client: Client, { answered }: Ledger): Promise<void> {
  for (const [id, told] of answered) {
    const { error, ...record } = await client.invocation(id);
    const found = { ...record, errorCode: error?.code };
    const facts = Object.keys(told).map((fact) => [fact, found[fact as keyof Told]]);
    assert.deepEqual(Object.fromEntries(facts), told, id);
  }
}

/** Who asks again is answered by what has run already. */
async function holdKeys(client: Client, { keyed }: Ledger): Promise<void> {
  for (const [idempotencyKey, { invocationId, text }] of keyed) {
    const event = JSON.stringify({ key: idempotencyKey });
    const again = await client.invoke("warm", { event, idempotencyKey });
    const answer = { invocationId: again.invocationId, text: Buffer.from(again.body).toString() };
    assert.deepEqual(answer, { invocationId, text });
  }
}

/** What was built and deployed runs, with what was installed for it. */
async function holdBuilds(client: Client, { built }: Ledger): Promise<void> {
  for (const [version, word] of built) {
    const [name = "", qualifier] = version.split(":");
    const { body } = await client.invoke(name, { qualifier });
    assert.equal(Buffer.from(body).toString(), word, version);
  }
}

async function holdEvents(client: Client, { accepted }: Ledger): Promise<void> {
  for (const id of accepted.keys()) {
    const { state, invocations } = await client.event(id);
    assert.equal(state, "succeeded", id);
    assert.equal(invocations.at(-1)?.status, "succeeded", id);
  }
}

async function holdSandboxes(client: Client, { opened, commands }: Ledger): Promise<void> {
  for (const id of opened) {
    const { state, endReason } = await client.getSandbox(id);
    assert.equal(state, "ended", id);
    assert.ok(endReasons.has(endReason), `${id}: ${endReason}`);
  }
  for (const [id, { sandboxId, exitCode }] of commands) {
    assert.equal((await client.command(sandboxId, id)).exitCode, exitCode, id);
  }
}

async function holdSnapshots(client: Client, { snapshots }: Ledger): Promise<void> {
  for (const id of snapshots) assert.equal((await client.getSnapshot(id)).state, "ready", id);
  const [snapshot] = snapshots;
  if (snapshot === undefined) return;
  const { id } = await client.createSandbox({ snapshot });
  assert.equal(await client.readText(id, "a"), "before");
  await client.removeSandbox(id);
}

/** Each end that a URL was to be told of came there once or more, and so did what became of each sandbox. */
async function holdDeliveries({ accepted, opened }: Ledger, { received }: Receiver): Promise<void> {
  const awaited = [
    ...[...accepted].flatMap(([id, { isCalledBack }]) => (isCalledBack ? [id] : [])),
    ...[...opened].flatMap((id) => [`sandbox.created ${id}`, `sandbox.ended ${id}`]),
  ];
  const missing = (): string[] => {
    const there = new Set(received.map(subjectOf));
    return awaited.filter((each) => !there.has(each));
  };
  const isWhole = (): true | undefined => missing().length === 0 || undefined;
  await poll("see all deliveries", isWhole, { timeoutMs: endTimeoutMs }).catch(() => undefined);
  assert.deepEqual(missing(), []);
}

function subjectOf({ body }: Received): string {
  const document = JSON.parse(body) as {
    requestContext?: { requestId: string };
    type?: string;
    data?: { sandboxId: string };
  };
  return document.requestContext?.requestId ?? `${document.type} ${document.data?.sandboxId}`;
}
