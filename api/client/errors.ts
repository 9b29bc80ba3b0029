import type { Problem } from "../schema/problem.ts";

/** The server's refusal or a function's failure, with the problem document as it came. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: string;
  readonly problem: Problem;
  readonly headers: Headers;

  constructor(problem: Problem, headers: Headers = new Headers()) {
    super(problem.detail);
    this.code = problem.code;
    this.problem = problem;
    this.headers = headers;
  }
}

/** No server answered, or what answered is no Runlet. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  readonly code = "unreachable";
}
