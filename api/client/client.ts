import type { BatchResult } from "../schema/batch.ts";
import type { Alias, AliasTargetInput, NewAliasInput } from "../schema/alias.ts";
import type { AcceptedEvent, DeadLetter, Event, EventCount, EventDetail } from "../schema/event.ts";
import type { ExecuteRequestInput, ExecuteResult } from "../schema/execute.ts";
import type { FollowEvent } from "../schema/follow.ts";
import type { FunctionSpecInput, FunctionVersion } from "../schema/function.ts";
import type { Image, ImageProgress } from "../schema/image.ts";
import type { Invocation, InvocationDetail } from "../schema/invocation.ts";
import type { Secret } from "../schema/secret.ts";
import type { Problem } from "../schema/problem.ts";
import type { Schedule, ScheduleDetail, ScheduleSpecInput } from "../schema/schedule.ts";
import type { FunctionStatistics } from "../schema/statistics.ts";
import { type ChangeOptions, conditionHeaders } from "./condition.ts";
import { Connection, type ClientOptions, quickTimeoutMs } from "./connection.ts";
import { ApiError, ConnectionError } from "./errors.ts";
import { follow, type FollowOptions } from "./follow.ts";
import {
  headOf,
  type InvokeAnswer,
  type InvokeOptions,
  postEvent,
  type StreamedAnswer,
} from "./invoke.ts";
import { linesOf } from "./lines.ts";
import { asJson, pathOf, type Query, withQuery } from "./request.ts";

export type { ClientOptions } from "./connection.ts";
export { ApiError } from "./errors.ts";

export interface Page<T> {
  items: T[];
  next?: string;
}

/** The HTTP API as methods. Every method throws {@link ApiError} or {@link ConnectionError}. */
export class Client {
  readonly #connection: Connection;

  /** @throws ConnectionError if the URL is none. */
  constructor(options: ClientOptions) {
    this.#connection = new Connection(options);
  }

  /**
   * Deploys a function; `created` is false where nothing differs from the latest version. Without `check`,
   * the code is not loaded before it counts.
   */
  async deploy(
    name: string,
    spec: FunctionSpecInput,
    { check = true, ...change }: ChangeOptions & { check?: boolean } = {},
  ): Promise<{ version: FunctionVersion; created: boolean }> {
    const path = withQuery(pathOf("functions", name), check ? {} : { check: "false" });
    const request = asJson("PUT", spec, conditionHeaders(change));
    const response = await this.#connection.send(path, request);
    return {
      version: await this.#connection.read<FunctionVersion>(response),
      created: response.status === 201,
    };
  }

  /** A page of functions by name, each with its latest version. */
  async functions(query: Query = {}): Promise<Page<FunctionVersion>> {
    return await this.#connection.get(pathOf("functions"), query);
  }

  /** A function's latest version, or the one asked for. */
  async getFunction(name: string, version?: number): Promise<FunctionVersion> {
    return await this.#connection.get(pathOf("functions", name), { version });
  }

  /** Deletes a function with all its versions and aliases. */
  async removeFunction(name: string, change: ChangeOptions = {}): Promise<void> {
    await this.#connection.delete(pathOf("functions", name), change);
  }

  /** A page of a function's versions, newest first. */
  async versions(name: string, query: Query = {}): Promise<Page<FunctionVersion>> {
    return await this.#connection.get(pathOf("functions", name, "versions"), query);
  }

  /** Deletes a version that is not the latest and that no alias names. */
  async removeVersion(name: string, version: number): Promise<void> {
    await this.#connection.delete(pathOf("functions", name, "versions", String(version)));
  }

  /** Creates an alias of a function. */
  async createAlias(functionName: string, alias: NewAliasInput): Promise<Alias> {
    const request = { ...asJson("POST", alias), timeoutMs: quickTimeoutMs };
    return await this.#connection.read(
      await this.#connection.send(pathOf("functions", functionName, "aliases"), request),
    );
  }

  /** Sets where an alias sends calls, and creates it if there is none. */
  async putAlias(
    functionName: string,
    alias: string,
    target: AliasTargetInput,
    change: ChangeOptions = {},
  ): Promise<Alias> {
    const headers = conditionHeaders(change);
    const request = { ...asJson("PUT", target, headers), timeoutMs: quickTimeoutMs };
    const path = pathOf("functions", functionName, "aliases", alias);
    return await this.#connection.read(await this.#connection.send(path, request));
  }

  /** A page of a function's aliases by name. */
  async aliases(functionName: string, query: Query = {}): Promise<Page<Alias>> {
    return await this.#connection.get(pathOf("functions", functionName, "aliases"), query);
  }

  /** One alias. */
  async getAlias(functionName: string, alias: string): Promise<Alias> {
    return await this.#connection.get(pathOf("functions", functionName, "aliases", alias));
  }

  /** Deletes an alias; its versions stay. */
  async removeAlias(
    functionName: string,
    alias: string,
    change: ChangeOptions = {},
  ): Promise<void> {
    await this.#connection.delete(pathOf("functions", functionName, "aliases", alias), change);
  }

  /** Where a function answers HTTP requests, if it is public. */
  functionUrl(name: string, qualifier?: string): string {
    const target = qualifier === undefined ? [name] : [name, qualifier];
    return this.#connection.url(`/f/${target.map(encodeURIComponent).join(":")}`).href;
  }

  /** Invokes a function and waits for its whole answer. */
  async invoke(name: string, options: InvokeOptions = {}): Promise<InvokeAnswer> {
    const { body, ...head } = await this.invokeStream(name, options);
    const whole = await this.#connection.body(new Response(body).arrayBuffer());
    return { ...head, body: new Uint8Array(whole) };
  }

  /** Invokes a function and waits for the beginning of its answer. */
  async invokeStream(name: string, options: InvokeOptions = {}): Promise<StreamedAnswer> {
    const { idempotencyKey } = options;
    const response = await postEvent(this.#connection, name, options, {
      ...(idempotencyKey !== undefined && { "idempotency-key": `"${idempotencyKey}"` }),
    });
    return { ...headOf(response), body: response.body ?? new Blob([]).stream() };
  }

  /** Sets a secret, which nobody reads back. */
  async setSecret(name: string, value: string): Promise<void> {
    await this.#connection.send(pathOf("secrets", name), asJson("PUT", { value }));
  }

  /** A page of secrets by name, without their values. */
  async secrets(query: Query = {}): Promise<Page<Secret>> {
    return await this.#connection.get(pathOf("secrets"), query);
  }

  /** Deletes a secret that no function names. */
  async removeSecret(name: string): Promise<void> {
    await this.#connection.delete(pathOf("secrets", name));
  }

  /** Queues an event for a function and answers its id once it is durable. */
  async invokeAsync(name: string, options: InvokeOptions = {}): Promise<AcceptedEvent> {
    return await this.#connection.read(
      await postEvent(this.#connection, name, options, { prefer: "respond-async" }),
    );
  }

  /** A page of events that were accepted, newest first. */
  async events(query: Query = {}): Promise<Page<Event>> {
    return await this.#connection.get(pathOf("events"), query);
  }

  /** One event with its invocations. */
  async event(id: string): Promise<EventDetail> {
    return await this.#connection.get(pathOf("events", id));
  }

  /** Removes an event that waits. */
  async cancelEvent(id: string): Promise<void> {
    await this.#connection.delete(pathOf("events", id));
  }

  /** Invokes a function with up to 100 events, each by itself; a failure of one is in its place. */
  async invokeBatch(
    name: string,
    events: readonly unknown[],
    options: Pick<InvokeOptions, "qualifier" | "signal"> = {},
  ): Promise<BatchResult> {
    const { qualifier, signal } = options;
    const path = withQuery(pathOf("functions", name, "batch"), { qualifier });
    return await this.#connection.read(
      await this.#connection.send(path, { ...asJson("POST", { events }), signal }),
    );
  }

  /** Has everything checked that an invocation needs, without running it; answers the version that would run. */
  async checkInvoke(name: string, options: InvokeOptions = {}): Promise<number> {
    const { headers } = await postEvent(this.#connection, name, options, {
      "runlet-dry-run": "true",
    });
    return Number(headers.get("runlet-function-version"));
  }

  /** A page of events that were given up, newest first. */
  async deadLetters(query: Query = {}): Promise<Page<Event>> {
    return await this.#connection.get(pathOf("dead-letters"), query);
  }

  /** An event that was given up, with its body and its invocations. */
  async deadLetter(id: string): Promise<DeadLetter> {
    return await this.#connection.get(pathOf("dead-letters", id));
  }

  /** Queues an event anew that was given up. */
  async redrive(id: string): Promise<Event> {
    const options = { method: "POST", timeoutMs: quickTimeoutMs };
    return await this.#connection.read(
      await this.#connection.send(pathOf("dead-letters", id, "redrive"), options),
    );
  }

  /** Queues all events of a function anew that were given up. */
  async redriveAll(name: string): Promise<EventCount> {
    const options = asJson("POST", { function: name });
    return await this.#connection.read(
      await this.#connection.send(pathOf("dead-letters", "redrive"), options),
    );
  }

  /** Removes an event that was given up. */
  async removeDeadLetter(id: string): Promise<void> {
    await this.#connection.send(pathOf("dead-letters", id), {
      method: "DELETE",
      timeoutMs: quickTimeoutMs,
    });
  }

  /** Removes all events of a function that were given up. */
  async purgeDeadLetters(name: string): Promise<EventCount> {
    const path = withQuery(pathOf("dead-letters"), { function: name });
    return await this.#connection.read(await this.#connection.send(path, { method: "DELETE" }));
  }

  /** Runs a snippet or files once. */
  async execute(request: ExecuteRequestInput, signal?: AbortSignal): Promise<ExecuteResult> {
    return await this.#connection.read(
      await this.#connection.send(pathOf("execute"), { ...asJson("POST", request), signal }),
    );
  }

  /** A page of invocations, newest first. */
  async invocations(query: Query = {}): Promise<Page<Invocation>> {
    return await this.#connection.get(pathOf("invocations"), query);
  }

  /** What a function's invocations of the last `windowMs` milliseconds come to; an hour by default. */
  async statistics(name: string, windowMs?: number): Promise<FunctionStatistics> {
    return await this.#connection.get(pathOf("functions", name, "statistics"), { windowMs });
  }

  /** What the invocations of a function write, from now on, until `signal` aborts or the caller breaks off. */
  followFunction(name: string, options: FollowOptions = {}): AsyncGenerator<FollowEvent> {
    return follow(this.#connection, pathOf("functions", name, "logs", "follow"), options);
  }

  /** What a running invocation writes, from now on to its end. */
  followInvocation(id: string, options: FollowOptions = {}): AsyncGenerator<FollowEvent> {
    return follow(this.#connection, pathOf("invocations", id, "logs", "follow"), options);
  }

  /** One invocation with its output. */
  async invocation(id: string): Promise<InvocationDetail> {
    return await this.#connection.get(pathOf("invocations", id));
  }

  /** Cancels a running invocation; answers its record. */
  async cancel(id: string): Promise<InvocationDetail> {
    const response = await this.#connection.send(pathOf("invocations", id), {
      method: "DELETE",
      timeoutMs: quickTimeoutMs,
    });
    return await this.#connection.read(response);
  }

  /** Makes a schedule, or replaces what it says. */
  async putSchedule(name: string, spec: ScheduleSpecInput): Promise<ScheduleDetail> {
    const options = { ...asJson("PUT", spec), timeoutMs: quickTimeoutMs };
    return await this.#connection.read(
      await this.#connection.send(pathOf("schedules", name), options),
    );
  }

  /** A page of schedules by name. */
  async schedules(query: Query = {}): Promise<Page<Schedule>> {
    return await this.#connection.get(pathOf("schedules"), query);
  }

  /** A schedule with its event and its next due times. */
  async getSchedule(name: string): Promise<ScheduleDetail> {
    return await this.#connection.get(pathOf("schedules", name));
  }

  /** Lets a schedule's due times pass without a run. */
  async pauseSchedule(name: string): Promise<ScheduleDetail> {
    return await this.#turnSchedule(name, "pause");
  }

  /** Lets a paused schedule come due again. */
  async resumeSchedule(name: string): Promise<ScheduleDetail> {
    return await this.#turnSchedule(name, "resume");
  }

  /** Queues a schedule's event now, beside its due times. */
  async runSchedule(name: string): Promise<AcceptedEvent> {
    return await this.#turnSchedule(name, "run");
  }

  /** Deletes a schedule. */
  async removeSchedule(name: string): Promise<void> {
    await this.#connection.delete(pathOf("schedules", name));
  }

  /** All images. */
  async images(): Promise<Image[]> {
    return (await this.#connection.get<{ items: Image[] }>(pathOf("images"))).items;
  }

  /** Uploads a tar or an OCI archive as an image. */
  async addImage(
    name: string,
    archive: AsyncIterable<Uint8Array>,
    onProgress: (progress: ImageProgress) => void = () => {},
  ): Promise<Image> {
    const response = await this.#connection.send(pathOf("images", name), {
      method: "PUT",
      body: archive,
      headers: { "content-type": "application/x-tar" },
    });
    for await (const line of linesOf(response.body)) {
      const message = JSON.parse(line) as {
        progress?: ImageProgress;
        image?: Image;
        problem?: Problem;
      };
      if (message.progress) onProgress(message.progress);
      if (message.problem) throw new ApiError(message.problem);
      if (message.image) return message.image;
    }
    throw new ConnectionError(`Cannot add image ${name}: the server's answer ended early`);
  }

  /** Removes an image that was added. */
  async removeImage(name: string): Promise<void> {
    await this.#connection.delete(pathOf("images", name));
  }

  async #turnSchedule<T>(name: string, verb: string): Promise<T> {
    const options = { method: "POST", timeoutMs: quickTimeoutMs };
    return await this.#connection.read(
      await this.#connection.send(pathOf("schedules", name, verb), options),
    );
  }
}
