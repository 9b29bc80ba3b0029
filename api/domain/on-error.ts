/** The ids of what a failure is about. */
export interface FailureAbout {
  readonly invocationId?: string;
  readonly functionName?: string | null | undefined;
  readonly traceId?: string | null | undefined;
  readonly eventId?: string;
  readonly schedule?: string;
  readonly webhook?: string | undefined;
  readonly keyId?: string;
}

/** Told of what goes wrong when no caller is there to be told, and of what it is about. */
export type OnError = (error: unknown, about?: FailureAbout) => void;
