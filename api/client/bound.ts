/** Methods whose first parameter is an id that is said already, by their new names. */
export type Bound<T, Names extends Readonly<Record<string, keyof T>>> = {
  readonly [Name in keyof Names]: WithoutId<T[Names[Name]]>;
};

type WithoutId<Method> = Method extends (id: string, ...rest: infer Rest) => infer Result
  ? (...rest: Rest) => Result
  : never;

/** Methods of `target` for one id, by the names that they have in `names`. */
export function bound<T extends object, const Names extends Readonly<Record<string, keyof T>>>(
  target: T,
  id: string,
  names: Names,
): Bound<T, Names> {
  const entries = Object.entries(names).map(([name, method]) => {
    const call = target[method] as (id: string, ...rest: unknown[]) => unknown;
    return [name, call.bind(target, id)];
  });
  return Object.fromEntries(entries) as Bound<T, Names>;
}
