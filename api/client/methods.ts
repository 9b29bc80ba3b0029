import { Connection, type ClientOptions } from "./connection.ts";

export interface Page<T> {
  items: T[];
  /** Where the next page begins; absent on the last one. */
  next?: string;
}

/** Which page of a list by name is wanted. */
export type PageAfter = { limit?: number | undefined; after?: string | undefined };

/** Which page of a list with the newest first is wanted. */
export type PageBefore = { limit?: number | undefined; before?: string | number | undefined };

/** A group of a client's methods, which all ask one server. */
export class Methods {
  protected readonly connection: Connection;

  /** @throws ConnectionError if the URL is none. */
  constructor(options: ClientOptions) {
    this.connection = new Connection(options);
  }
}

type Group = new (options: ClientOptions) => Methods;

type All<Groups extends readonly Group[]> = Groups extends readonly [
  infer First extends Group,
  ...infer Rest extends readonly Group[],
]
  ? InstanceType<First> & All<Rest>
  : Methods;

/** A class with the methods of several groups, on one connection. */
export function joined<const Groups extends readonly Group[]>(
  ...groups: Groups
): new (options: ClientOptions) => All<Groups> {
  class Joined extends Methods {}
  for (const { prototype } of groups) {
    const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(prototype);
    Object.defineProperties(Joined.prototype, methods);
  }
  return Joined as new (options: ClientOptions) => All<Groups>;
}
