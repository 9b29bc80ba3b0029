import { type Dispatcher, Pool } from "undici";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

type Headers = Readonly<Record<string, string>>;

const jsonHeaders: Headers = { "content-type": "application/json" };

/** A client that costs little beside what it measures, with so many kept connections. Aborting breaks them. */
export class HttpLoad implements Disposable {
  readonly #pool: Pool;
  readonly #signal: AbortSignal;
  readonly #cut = (): void => void this.#pool.destroy();

  constructor(url: string, connections: number, signal: AbortSignal) {
    // What is measured may take its time, as a queue of a thousand invocations does.
    const noLimit = { headersTimeout: 0, bodyTimeout: 0 };
    this.#pool = new Pool(url, { connections, pipelining: 1, ...noLimit });
    this.#signal = signal;
    signal.addEventListener("abort", this.#cut, { once: true });
  }

  /** Posts JSON and reads the whole answer. @throws the abort's reason, or the connection's error. */
  async post(path: string, body: string, headers = jsonHeaders): Promise<HttpAnswer> {
    this.#signal.throwIfAborted();
    try {
      const request = { path, method: "POST", headers, body } as const;
      const answer = new Answer();
      this.#pool.dispatch(request, answer);
      return await answer.whole;
    } catch (error) {
      this.#signal.throwIfAborted();
      throw error;
    }
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
    this.#cut();
  }
}

/** Takes an answer as undici reads it; its own promises and streams would cost as much as the server's HTTP. */
class Answer implements Dispatcher.DispatchHandler {
  readonly whole: Promise<HttpAnswer>;
  readonly #whole = Promise.withResolvers<HttpAnswer>();
  #head: Omit<HttpAnswer, "body"> = { status: 0, headers: {} };
  #body = "";

  constructor() {
    this.whole = this.#whole.promise;
  }

  onRequestStart(): void {}

  onResponseStart(_: unknown, status: number, headers: HttpAnswer["headers"]): void {
    this.#head = { status, headers };
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.#body += chunk.toString();
  }

  onResponseEnd(): void {
    this.#whole.resolve({ ...this.#head, body: this.#body });
  }

  onResponseError(_: unknown, error: Error): void {
    this.#whole.reject(error);
  }
}
