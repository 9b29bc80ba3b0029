import assert from "node:assert/strict";
import { after, test } from "node:test";
import { poll } from "../../../runtime/deadline.ts";
import { problemOf } from "../../support/problem.ts";
import { runningInvocation } from "../../support/running.ts";
import { startTestServer } from "../../support/server.ts";
import { runlet, runletOnTerminal } from "./runlet.ts";

const server = await startTestServer();
after(async () => await server[Symbol.asyncDispose]());
const { url, client } = server;

test("logs --follow shows output as it comes, of an invocation to its end and of a function", async () => {
  const script = "while :; do echo tick; sleep 0.05; done";
  await client.deploy("ticks", { runtime: "command", command: ["sh", "-c", script] });
  const invoked = problemOf(client.invoke("ticks"));
  const { id } = await runningInvocation(client, "ticks");
  using one = runletOnTerminal(["logs", "--follow", id], { url });
  using all = runletOnTerminal(["logs", "--follow", "--function", "ticks", "--json"], { url });
  for (const [terminal, text] of [
    [one, "tick"],
    [all, '"type":"output"'],
  ] as const) {
    const probe = (): true | undefined => (terminal.screen().includes(text) ? true : undefined);
    await poll(`see ${text}`, probe, { timeoutMs: 30_000 });
  }
  await client.cancel(id);
  await invoked;
  const { exitCode, screen } = await one.ended();
  assert.equal(exitCode, 0);
  assert.match(screen, new RegExp(`tick\\s+-- ${id} cancelled\\s+$`));
  const end = `{"type":"end","invocationId":"${id}","status":"cancelled"}`;
  const probe = (): true | undefined => (all.screen().includes(end) ? true : undefined);
  await poll("see the end", probe, { timeoutMs: 30_000 });
});

test("logs --follow wants to know whom", async () => {
  const { exitCode, stderr } = await runlet(["logs", "--follow"], { url });
  assert.equal(exitCode, 2);
  assert.match(stderr, /expected whom to follow: an id, or --function/);
});
