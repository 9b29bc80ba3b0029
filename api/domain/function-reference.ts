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
