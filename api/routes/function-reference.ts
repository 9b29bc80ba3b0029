import { RunletError } from "../domain/errors.ts";

/** A function and, where one is named, which version of it. */
export interface FunctionReference {
  readonly name: string;
  readonly qualifier: string | undefined;
}

/** Takes `name` or `name:qualifier` apart. */
export function referenceIn(text: string): FunctionReference {
  const [name = "", ...rest] = text.split(":");
  return { name, qualifier: rest.length === 0 ? undefined : rest.join(":") };
}

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
