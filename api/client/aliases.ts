import type { Alias, AliasTargetInput, NewAliasInput } from "../schema/alias.ts";
import { type ChangeOptions, conditionHeaders } from "./condition.ts";
import { quickTimeoutMs } from "./connection.ts";
import { Methods, type Page, type PageAfter } from "./methods.ts";
import { asJson, pathOf } from "./request.ts";

/** What a client does with aliases. */
export class AliasMethods extends Methods {
  /** Creates an alias of a function. */
  async createAlias(functionName: string, alias: NewAliasInput): Promise<Alias> {
    const request = { ...asJson("POST", alias), timeoutMs: quickTimeoutMs };
    return await this.connection.ask(pathOf("functions", functionName, "aliases"), request);
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
    return await this.connection.ask(path, request);
  }

  /** A page of a function's aliases by name. */
  async aliases(functionName: string, query: PageAfter = {}): Promise<Page<Alias>> {
    return await this.connection.get(pathOf("functions", functionName, "aliases"), query);
  }

  /** One alias. */
  async getAlias(functionName: string, alias: string): Promise<Alias> {
    return await this.connection.get(pathOf("functions", functionName, "aliases", alias));
  }

  /** Deletes an alias; its versions stay. */
  async removeAlias(
    functionName: string,
    alias: string,
    change: ChangeOptions = {},
  ): Promise<void> {
    await this.connection.delete(pathOf("functions", functionName, "aliases", alias), change);
  }
}
