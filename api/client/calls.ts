import type { BatchResult } from "../schema/batch.ts";
import type { AcceptedEvent } from "../schema/event.ts";
import type { ExecuteEvent, ExecuteRequestInput, ExecuteResult } from "../schema/execute.ts";
import { ApiError } from "./errors.ts";
import { follow, type FollowOptions } from "./follow.ts";
import {
  headOf,
  type InvokeAnswer,
  type InvokeAsyncOptions,
  type InvokeOptions,
  logTailOf,
  postEvent,
  type StreamedAnswer,
} from "./invoke.ts";
import { Methods } from "./methods.ts";
import { asJson, pathOf, withQuery } from "./request.ts";

/** How a client has code run. */
export class CallMethods extends Methods {
  /** Invokes a function and waits for its whole answer. */
  async invoke(name: string, options: InvokeOptions = {}): Promise<InvokeAnswer> {
    const response = await postEvent(this.connection, name, options);
    const body = await this.connection.body(response.bytes());
    return { ...headOf(response), body, logTail: logTailOf(response) };
  }

  /** Invokes a function and waits for the beginning of its answer. */
  async invokeStream(name: string, options: InvokeOptions = {}): Promise<StreamedAnswer> {
    const response = await postEvent(this.connection, name, options);
    return { ...headOf(response), body: response.stream(), logTail: () => logTailOf(response) };
  }

  /** Invokes a function with up to 100 events, each by itself; a failure of one is in its place. */
  async invokeBatch(
    name: string,
    events: readonly unknown[],
    options: Pick<InvokeOptions, "qualifier" | "traceparent" | "signal"> = {},
  ): Promise<BatchResult> {
    const { qualifier, traceparent, signal } = options;
    const path = withQuery(pathOf("functions", name, "batch"), { qualifier });
    const headers = traceparent === undefined ? {} : { traceparent };
    return await this.connection.ask(path, { ...asJson("POST", { events }, headers), signal });
  }

  /** Queues an event for a function and answers its id once it is durable. */
  async invokeAsync(name: string, options: InvokeAsyncOptions = {}): Promise<AcceptedEvent> {
    const { callback } = options;
    const headers = {
      prefer: "respond-async",
      ...(callback && {
        "runlet-callback-url": callback.url,
        "runlet-callback-secret": callback.secret,
      }),
    };
    return await this.connection.read(await postEvent(this.connection, name, options, headers));
  }

  /** Has everything checked that an invocation needs, without running it; answers the version that would run. */
  async checkInvoke(name: string, options: InvokeOptions = {}): Promise<number> {
    const { headers } = await postEvent(this.connection, name, options, {
      "runlet-dry-run": "true",
    });
    return Number(headers.get("runlet-function-version"));
  }

  /** Runs a snippet or files once. */
  async execute(request: ExecuteRequestInput, signal?: AbortSignal): Promise<ExecuteResult> {
    return await this.connection.ask(pathOf("execute"), { ...asJson("POST", request), signal });
  }

  /** Runs a snippet or files once, and tells of its start, its output and its end as they come. */
  async *streamExecute(
    request: ExecuteRequestInput,
    options: FollowOptions = {},
  ): AsyncGenerator<Exclude<ExecuteEvent, { type: "failed" }>> {
    const sent = asJson("POST", request, { accept: "text/event-stream" });
    for await (const event of follow<ExecuteEvent>(
      this.connection,
      pathOf("execute"),
      options,
      sent,
    )) {
      if (event.type === "failed") throw new ApiError(event.problem);
      yield event;
    }
  }
}
