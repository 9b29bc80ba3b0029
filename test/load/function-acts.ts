import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../api/client/client.ts";
import { ApiError } from "../../api/client/errors.ts";
import type { Problem } from "../../api/schema/problem.ts";
import { type Act, type Acts, expect, isChance } from "./act.ts";
import type { Told } from "./ledger.ts";

const echo = "export const handler = async (event) => event;";
const counted = `export async function* handler({ pieces }) {
  for (let piece = 0; piece < pieces; piece++) yield "piece ";
}`;
const throwing = "export const handler = () => { throw new RangeError('no'); };";
const flaky = `export const handler = () => {
  if (Math.random() < 0.3) throw new Error("this time not");
};`;
const waiting = "export const handler = (ms) => new Promise((done) => setTimeout(done, ms));";

/** The name of the schedule that comes due every second. */
export const scheduleName = "beats";
/** The name of the secret that callbacks are signed with. */
export const callbackSecret = "load-key";

/** Deploys what the load calls. What is kept warm is gone before long: then an idle server is always the same. */
export async function prepareFunctions(client: Client, keepAliveMs = 1000): Promise<void> {
  const async = { maxAttempts: 10, backoffMs: 100 };
  const node = { runtime: "node", async, keepAliveMs } as const;
  const reuse = { ...node, isolation: "reuse" } as const;
  await client.deploy("fresh", { ...node, code: { source: echo } });
  await client.deploy("warm", { ...reuse, code: { source: echo } });
  await client.deploy("streams", { ...reuse, code: { source: counted } });
  await client.deploy("throws", { ...reuse, code: { source: throwing } });
  await client.deploy("flaky", { ...reuse, code: { source: flaky } });
  await client.deploy("waits", { ...reuse, code: { source: waiting } });
  await client.deploy("late", { ...node, timeoutMs: 200, code: { source: waiting } });
  await client.deploy("program", { runtime: "command", command: ["cat"], async });
  await client.setSecret(callbackSecret, "what callbacks are signed with");
  const schedule = { function: "warm", expression: "rate(1 second)", event: { of: "schedule" } };
  await client.putSchedule(scheduleName, schedule);
}

/** What callers do with functions: mostly what takes no container of its own. */
export const functionActs: Acts = {
  warm: [40, call("warm")],
  fresh: [2, call("fresh")],
  program: [1, call("program")],
  event: [4, sendEvent],
  keyed: [4, callOnce],
  execute: [1, execute],
  stream: [4, readStream],
  leave: [1, leaveStream],
  goAway: [1, goAway],
  cancel: [0.5, cancelOne],
  throw: [4, fail("throws", "null", { status: "failed", errorCode: "function_error" })],
  outlast: [
    0.25,
    fail("late", "60000", {
      status: "timed_out",
      errorCode: "function_timeout",
      exitReason: "timeout",
    }),
  ],
  refused: [2, beRefused],
  batch: [1, callBatch],
  schedule: [0.5, runSchedule],
};

function call(name: string): Act {
  return async ({ client, ledger, signal }) => {
    const event = JSON.stringify({ n: Math.random() });
    const { invocationId, body } = await client.invoke(name, { event, signal });
    expect(textOf(body) === event, `${name} answered ${textOf(body)} to ${event}`);
    // What a program prints is its answer, and stands on record.
    const told = name === "program" ? { stdout: event, exitCode: 0 } : {};
    const answerBytes = body.byteLength;
    ledger.answered.set(invocationId, { status: "succeeded", answerBytes, ...told });
  };
}

async function sendEvent({
  client,
  ledger,
  signal,
  callbackUrl,
}: Parameters<Act>[0]): Promise<void> {
  const names = ["warm", "program", "fresh", "flaky"];
  const name = names[Math.floor(Math.random() * names.length)] ?? "warm";
  const url = isChance(0.2) ? callbackUrl : undefined;
  const callback = url === undefined ? undefined : { url, secret: callbackSecret };
  const { eventId } = await client.invokeAsync(name, { event: '{"n":1}', callback, signal });
  ledger.accepted.set(eventId, { isCalledBack: callback !== undefined });
}

async function callOnce({ client, ledger, signal }: Parameters<Act>[0]): Promise<void> {
  const idempotencyKey = randomUUID();
  const event = JSON.stringify({ key: idempotencyKey });
  const { invocationId, body } = await client.invoke("warm", { event, idempotencyKey, signal });
  ledger.answered.set(invocationId, { status: "succeeded", answerBytes: body.byteLength });
  ledger.keyed.set(idempotencyKey, { invocationId, text: textOf(body) });
  if (isChance(0.5)) return;
  const again = await client.invoke("warm", { event, idempotencyKey, signal });
  expect(again.invocationId === invocationId, `a key was answered by ${again.invocationId} too`);
}

async function execute({ client, ledger, signal }: Parameters<Act>[0]): Promise<void> {
  const exitCode = Math.floor(Math.random() * 4);
  const source = `echo out; echo err >&2; exit ${exitCode}`;
  const request = { runtime: "bash" as const, code: { source } };
  const ran = await client.execute(request, signal);
  expect(ran.exitCode === exitCode, `exit ${exitCode} ended with ${ran.exitCode}`);
  const { invocationId, stdout, stderr } = ran;
  const status = exitCode === 0 ? "succeeded" : "failed";
  ledger.answered.set(invocationId, { status, stdout, stderr, exitCode, exitReason: "exited" });
}

async function readStream({ client, ledger, signal }: Parameters<Act>[0]): Promise<void> {
  const event = JSON.stringify({ pieces: 20 });
  const { invocationId, body } = await client.invoke("streams", { event, signal });
  ledger.answered.set(invocationId, { status: "succeeded", answerBytes: body.byteLength });
  expect(textOf(body) === "piece ".repeat(20), `a stream was ${textOf(body)}`);
}

/** Goes away in the midst of an answer. */
async function leaveStream({ client, signal }: Parameters<Act>[0]): Promise<void> {
  const event = JSON.stringify({ pieces: 1e6 });
  const leave = new AbortController();
  const either = AbortSignal.any([signal, leave.signal]);
  const { body } = await client.invokeStream("streams", { event, signal: either });
  const reader = body.getReader();
  await reader.read();
  leave.abort();
  await reader.cancel().catch(() => undefined);
}

/** Goes away before there is an answer. */
async function goAway({ client, signal }: Parameters<Act>[0]): Promise<void> {
  const leave = AbortSignal.timeout(Math.ceil(Math.random() * 100));
  const either = AbortSignal.any([signal, leave]);
  await client.invoke("waits", { event: "400", signal: either }).catch((error: unknown) => {
    if (!leave.aborted) passCancelled(error);
  });
}

/** Cancels an invocation that it finds running, which is its own or that of another caller. */
async function cancelOne({ client, signal }: Parameters<Act>[0]): Promise<void> {
  const event = "500";
  const called = client.invoke("waits", { event, signal }).then(() => undefined, passCancelled);
  const cancel = async (): Promise<void> => {
    await sleep(50);
    const { items } = await client.invocations({ function: "waits", status: "running", limit: 1 });
    const [found] = items;
    if (found !== undefined) await client.cancel(found.id).catch(passCancelled);
  };
  const all = await Promise.allSettled([called, cancel()]);
  for (const each of all) if (each.status === "rejected") throw each.reason;
}

/** It was cancelled, or had ended before that. */
function passCancelled(error: unknown): void {
  const codes = ["cancelled", "failed_precondition"];
  if (!(error instanceof ApiError && codes.includes(error.code))) throw error;
}

function fail(name: string, event: string, told: Told): Act {
  return async ({ client, ledger, signal }) => {
    const { invocationId = "" } = await problemOf(
      client.invoke(name, { event, signal }),
      told.errorCode ?? "",
    );
    ledger.answered.set(invocationId, told);
  };
}

async function beRefused({ client, signal }: Parameters<Act>[0]): Promise<void> {
  await problemOf(client.invoke("nobody", { signal }), "not_found");
  await problemOf(client.invoke("warm", { event: "{", signal }), "invalid_argument");
}

async function callBatch({ client, ledger, signal }: Parameters<Act>[0]): Promise<void> {
  const events = [1, 2, 3, 4];
  const { items } = await client.invokeBatch("warm", events, { signal });
  for (const [n, { invocationId = "", status, answer }] of items.entries()) {
    if (status !== 200) continue;
    expect(answer === events[n], `one of a batch answered ${JSON.stringify(answer)}`);
    ledger.answered.set(invocationId, { status: "succeeded" });
  }
}

async function runSchedule({ client, ledger }: Parameters<Act>[0]): Promise<void> {
  const { eventId } = await client.runSchedule(scheduleName);
  ledger.accepted.set(eventId, { isCalledBack: false });
}

/** The problem that a request meets, which must have that code. */
async function problemOf(request: Promise<unknown>, code: string): Promise<Problem> {
  try {
    await request;
  } catch (error) {
    if (error instanceof ApiError && error.code === code) return error.problem;
    throw error;
  }
  throw new Error(`A caller was told otherwise: all is well where ${code} was to come`);
}

function textOf(body: Uint8Array): string {
  return Buffer.from(body).toString();
}
