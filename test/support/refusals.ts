import assert from "node:assert/strict";
import { test } from "node:test";
import { problemIn } from "./problem.ts";
import type { TestServer } from "./server.ts";

/** A request that must be refused, and how. */
export interface Refusal {
  what: string;
  method?: string;
  path: string;
  body?: unknown;
  type?: string;
  expected: Expected;
}

export interface Expected {
  status: number;
  code: string;
  detail: RegExp;
}

export function invalid(detail: RegExp): Expected {
  return { status: 400, code: "invalid_argument", detail };
}

export function missing(detail: RegExp): Expected {
  return { status: 404, code: "not_found", detail };
}

export function tooLarge(detail: RegExp): Expected {
  return { status: 413, code: "payload_too_large", detail };
}

/** Deploys and invokes a good function, so that there is something that bad requests could change. */
export async function withSomething(server: TestServer): Promise<void> {
  await server.client.deploy("good", {
    runtime: "node",
    code: { source: "export const handler = () => 1;" },
  });
  await server.client.invoke("good");
}

/** Makes a test of each: the request is refused as it says, and functions, invocations and images stay as they are. */
export function testRefusals(server: () => TestServer, refusals: readonly Refusal[]): void {
  for (const refusal of refusals) {
    const { what, expected } = refusal;
    test(`${what} is refused with ${expected.code} and changes nothing`, async () => {
      const before = await stateOf(server());
      const problem = await problemIn(await send(server(), refusal));
      assert.equal(problem.code, expected.code, problem.detail);
      assert.equal(problem.status, expected.status);
      assert.match(problem.detail, expected.detail);
      assert.deepEqual(await stateOf(server()), before);
    });
  }
}

/** All that a refused request must leave as it is. */
export async function stateOf({ client }: TestServer): Promise<unknown> {
  const functions = await client.functions({ limit: 200 });
  const invocations = await client.invocations({ limit: 200 });
  const images = await client.images();
  return {
    functions,
    invocations: invocations.items.map(({ id, status }) => ({ id, status })),
    images: images.items.map(({ name }) => name),
  };
}

async function send(server: TestServer, refusal: Refusal): Promise<Response> {
  const { method = "GET", path, body, type = "application/json" } = refusal;
  if (body === undefined) return await server.fetch(path, { method });
  return await server.fetch(path, {
    method,
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": type },
  });
}
