import { Agent, type IncomingHttpHeaders, request } from "node:http";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const jsonHeaders = { "content-type": "application/json" };

/** A client that costs little beside what it measures, with so many kept connections. Aborting breaks them. */
export class HttpLoad implements Disposable {
  readonly #agent: Agent;
  readonly #origin: { host: string; port: string };
  readonly #signal: AbortSignal;
  readonly #cut = (): void => this.#agent.destroy();

  constructor(url: string, connections: number, signal: AbortSignal) {
    const { hostname, port } = new URL(url);
    this.#origin = { host: hostname, port };
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
    this.#signal = signal;
    signal.addEventListener("abort", this.#cut, { once: true });
  }

  /** Posts JSON and reads the whole answer. @throws the abort's reason, or the connection's error. */
  async post(path: string, body: string): Promise<HttpAnswer> {
    this.#signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    const fail = (error: Error): void => {
      reject(this.#signal.aborted ? (this.#signal.reason as Error) : error);
    };
    const options = { ...this.#origin, path, method: "POST", agent: this.#agent };
    const sent = request({ ...options, headers: jsonHeaders }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
      });
      response.on("error", fail);
    });
    sent.on("error", fail);
    sent.end(body);
    return await promise;
  }

  /** As {@link post}, for an answer that must be a 200; answers the milliseconds it took. */
  async time(path: string, body: string): Promise<number> {
    const start = performance.now();
    const answer = await this.post(path, body);
    const elapsed = performance.now() - start;
    if (answer.status === 200) return elapsed;
    throw new Error(`Cannot measure ${path}: it answered ${answer.status}: ${answer.body}`);
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener("abort", this.#cut);
    this.#agent.destroy();
  }
}
