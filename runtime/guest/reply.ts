import type { Exit } from "../container/exit.ts";
import { RunletError } from "../errors.ts";
import type { GuestError, GuestMessage } from "./messages.ts";

/** What a guest came to when it was asked for something: an answer, a throw, or its own end. */
export type Reply<T> =
  | { readonly kind: "answered"; readonly answer: T }
  | { readonly kind: "threw"; readonly error: GuestError }
  | { readonly kind: "ended"; readonly exit: Exit };

/** The breach of a guest that said something else than an answer to what it was asked. */
export function unexpected(asked: string, got: GuestMessage): RunletError {
  return new RunletError(
    "protocol_violation",
    `Cannot take the guest's ${got.type}: it is no answer to ${asked}`,
  );
}
