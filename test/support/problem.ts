import assert from "node:assert/strict";
import { ApiError } from "../../api/client/errors.ts";
import type { Problem } from "../../api/schema/problem.ts";

/** Waits for a call of the client to be refused and answers the problem that it was told. */
export async function problemOf(call: Promise<unknown>): Promise<Problem> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ApiError) return error.problem;
    throw error;
  }
  return assert.fail("the call succeeded");
}

/** Reads an answer that must be problem+json and have the status that it says. */
export async function problemIn(response: Response): Promise<Problem> {
  assert.match(response.headers.get("content-type") ?? "", /^application\/problem\+json/);
  const problem = (await response.json()) as Problem;
  assert.equal(problem.status, response.status);
  assert.ok(problem.detail.length > 0 && problem.title.length > 0);
  return problem;
}
