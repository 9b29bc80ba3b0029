import type { FunctionConcurrency } from "../schema/concurrency.ts";
import { quickTimeoutMs } from "./connection.ts";
import { Methods } from "./methods.ts";
import { asJson, pathOf } from "./request.ts";

/** What a client does with what is set for functions beside their versions. */
export class ConcurrencyMethods extends Methods {
  /** What slots are reserved and how many containers provisioned for a function. */
  async concurrency(name: string): Promise<FunctionConcurrency> {
    return await this.connection.get(pathOf("functions", name, "concurrency"));
  }

  /** Reserves slots and provisions containers for a function; what is left out is unset. */
  async setConcurrency(name: string, wanted: FunctionConcurrency): Promise<FunctionConcurrency> {
    const options = { ...asJson("PUT", wanted), timeoutMs: quickTimeoutMs };
    return await this.connection.ask(pathOf("functions", name, "concurrency"), options);
  }

  /** Reserves no slots for a function, and provisions what its versions say. */
  async removeConcurrency(name: string): Promise<void> {
    await this.connection.delete(pathOf("functions", name, "concurrency"));
  }
}
