import { quickTimeoutMs } from "./connection.ts";
import { Methods } from "./methods.ts";

/** What a client asks of the server itself. */
export class ServerMethods extends Methods {
  /** Counters, gauges and histograms in the text format of Prometheus. */
  async metrics(): Promise<string> {
    const options = { method: "GET", timeoutMs: quickTimeoutMs };
    const response = await this.connection.send("/metrics", options);
    return await this.connection.body(response.text());
  }
}
