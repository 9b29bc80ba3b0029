type WithoutNulls<T> = { [K in keyof T as null extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as null extends T[K] ? K : never]?: Exclude<T[K], null>;
};

/** A row of the record as callers see it: what is null there is left out. */
export function withoutNulls<T extends object>(row: T): WithoutNulls<T> {
  const kept: Partial<T> = {};
  for (const key in row) if (row[key] !== null) kept[key] = row[key];
  return kept as unknown as WithoutNulls<T>;
}
