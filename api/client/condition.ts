/** What must hold for a change to be made; the server answers 412 where it does not. */
export interface ChangeOptions {
  /** The revision id that must still be the present one. */
  ifMatch?: string | undefined;
  /** There must be nothing of that name yet. */
  isNew?: boolean;
}

/** The headers that tell a server the condition of a change. */
export function conditionHeaders({ ifMatch, isNew }: ChangeOptions): Record<string, string> {
  return {
    ...(ifMatch !== undefined && { "if-match": `"${ifMatch}"` }),
    ...(isNew === true && { "if-none-match": "*" }),
  };
}
