import type {
  Deployed,
  FunctionDetail,
  FunctionSpecInput,
  FunctionVersion,
} from "../schema/function.ts";
import type { FunctionStatistics } from "../schema/statistics.ts";
import { type ChangeOptions, conditionHeaders } from "./condition.ts";
import { Methods, type Page, type PageAfter, type PageBefore } from "./methods.ts";
import { asJson, pathOf, withQuery } from "./request.ts";

/** What a client does with functions, their versions and their figures. */
export class FunctionMethods extends Methods {
  /**
   * Deploys a function; `created` is false where nothing differs from the latest version. Without `check`,
   * the code is not loaded before it counts.
   */
  async deploy(
    name: string,
    spec: FunctionSpecInput,
    { check = true, ...change }: ChangeOptions & { check?: boolean } = {},
  ): Promise<{ version: Deployed; created: boolean }> {
    const path = withQuery(pathOf("functions", name), check ? {} : { check: "false" });
    const request = asJson("PUT", spec, conditionHeaders(change));
    const response = await this.connection.send(path, request);
    return {
      version: await this.connection.read<Deployed>(response),
      created: response.status === 201,
    };
  }

  /** A page of functions by name, each with its latest version. */
  async functions(query: PageAfter = {}): Promise<Page<FunctionVersion>> {
    return await this.connection.get(pathOf("functions"), query);
  }

  /** A function's latest version, or the one asked for. */
  async getFunction(name: string, version?: number): Promise<FunctionDetail> {
    return await this.connection.get(pathOf("functions", name), { version });
  }

  /** Deletes a function with all its versions and aliases. */
  async removeFunction(name: string, change: ChangeOptions = {}): Promise<void> {
    await this.connection.delete(pathOf("functions", name), change);
  }

  /** A page of a function's versions, newest first. */
  async versions(name: string, query: PageBefore = {}): Promise<Page<FunctionVersion>> {
    return await this.connection.get(pathOf("functions", name, "versions"), query);
  }

  /** Deletes a version that is not the latest and that no alias and no schedule names. */
  async removeVersion(name: string, version: number): Promise<void> {
    await this.connection.delete(pathOf("functions", name, "versions", String(version)));
  }

  /** What a function's invocations of the last `windowMs` milliseconds come to; an hour by default. */
  async statistics(name: string, windowMs?: number): Promise<FunctionStatistics> {
    return await this.connection.get(pathOf("functions", name, "statistics"), { windowMs });
  }

  /** Where a function answers HTTP requests, if it is public. */
  functionUrl(name: string, qualifier?: string): string {
    const target = qualifier === undefined ? [name] : [name, qualifier];
    return this.connection.url(`/f/${target.map(encodeURIComponent).join(":")}`).href;
  }
}
