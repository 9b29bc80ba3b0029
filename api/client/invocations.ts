import type { FollowEvent } from "../schema/follow.ts";
import type { Invocation, InvocationDetail, InvocationQuery } from "../schema/invocation.ts";
import { quickTimeoutMs } from "./connection.ts";
import { follow, type FollowOptions } from "./follow.ts";
import { Methods, type Page } from "./methods.ts";
import { pathOf } from "./request.ts";

/** What a client does with invocations and their output. */
export class InvocationMethods extends Methods {
  /** A page of invocations, newest first. */
  async invocations(query: InvocationQuery = {}): Promise<Page<Invocation>> {
    return await this.connection.get(pathOf("invocations"), query);
  }

  /** One invocation with its output. */
  async invocation(id: string): Promise<InvocationDetail> {
    return await this.connection.get(pathOf("invocations", id));
  }

  /** Cancels a running invocation; answers its record. */
  async cancel(id: string): Promise<InvocationDetail> {
    const response = await this.connection.send(pathOf("invocations", id), {
      method: "DELETE",
      timeoutMs: quickTimeoutMs,
    });
    return await this.connection.read(response);
  }

  /** What the invocations of a function write, from now on, until `signal` aborts or the caller breaks off. */
  followFunction(name: string, options: FollowOptions = {}): AsyncGenerator<FollowEvent> {
    return follow(this.connection, pathOf("functions", name, "logs", "follow"), options);
  }

  /** What a running invocation writes, from now on to its end. */
  followInvocation(id: string, options: FollowOptions = {}): AsyncGenerator<FollowEvent> {
    return follow(this.connection, pathOf("invocations", id, "logs", "follow"), options);
  }
}
