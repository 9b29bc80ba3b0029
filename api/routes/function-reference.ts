import { RunletError } from "../domain/errors.ts";
import { type FunctionReference, referenceIn } from "../domain/function-reference.ts";

/**
 * The function that a path names, with the qualifier of the path or of the query.
 * @throws `invalid_argument` where both have one and they differ.
 */
export function referenceOf(text: string, asked: string | undefined): FunctionReference {
  const { name, qualifier = asked } = referenceIn(text);
  if (asked === undefined || asked === qualifier) return { name, qualifier };
  throw new RunletError(
    "invalid_argument",
    `Cannot invoke ${text}: the query names the qualifier ${asked}. Name one of them`,
  );
}
