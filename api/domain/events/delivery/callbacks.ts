import type { EventCallback } from "../../../../store/event-row.ts";
import { RunletError } from "../../errors.ts";
import type { Secrets } from "../../secrets.ts";

export interface CallbacksOptions {
  secrets: Secrets;
  /** Whether they may be at addresses that are not public, and speak HTTP without TLS. */
  allowPrivate: boolean;
}

/** Which URLs may be told of an event's end, and what signs what they are told. */
export class Callbacks {
  readonly #options: CallbacksOptions;

  constructor(options: CallbacksOptions) {
    this.#options = options;
  }

  get allowPrivate(): boolean {
    return this.#options.allowPrivate;
  }

  /** The secret of a callback that may be told. @throws `failed_precondition`. */
  secretOf({ url, secret }: EventCallback): string {
    if (!this.allowPrivate && new URL(url).protocol !== "https:") {
      throw new RunletError(
        "failed_precondition",
        "Cannot send to a callback without TLS: its URL has to begin with https:, unless the operator sets RUNLET_ALLOW_PRIVATE_CALLBACKS",
      );
    }
    return this.#options.secrets.read(secret);
  }
}
