import type { AsyncPolicy } from "../../schema/async-policy.ts";
import type { Destination } from "../../schema/destination.ts";
import { isRunletError, RunletError } from "../errors.ts";
import { referenceIn } from "../function-reference.ts";
import type { Callbacks } from "./delivery/callbacks.ts";

export interface DestinationContext {
  callbacks: Callbacks;
  /** @throws `not_found`. */
  resolve: (functionName: string, qualifier?: string) => unknown;
}

/**
 * Checks who is told of the ends of a function's events.
 * @throws `failed_precondition` for a function or a secret that does not exist, and for what may not be told.
 */
export function assertDestinations(
  functionName: string,
  { onSuccess, onFailure }: Pick<AsyncPolicy, "onSuccess" | "onFailure">,
  context: DestinationContext,
): void {
  for (const [field, destination] of Object.entries({ onSuccess, onFailure })) {
    if (destination === undefined) continue;
    try {
      assertDestination(functionName, destination, context);
    } catch (error) {
      if (!isRunletError(error)) throw error;
      const message = `Cannot take async.${field} of function ${functionName}: ${error.message}`;
      throw new RunletError("failed_precondition", message, { cause: error });
    }
  }
}

function assertDestination(
  functionName: string,
  destination: Destination,
  { callbacks, resolve }: DestinationContext,
): void {
  if ("url" in destination) {
    callbacks.secretOf(destination);
    return;
  }
  const { name, qualifier } = referenceIn(destination.function);
  if (name === functionName) {
    throw new RunletError("failed_precondition", "it is that function itself. Name another one");
  }
  resolve(name, qualifier);
}
