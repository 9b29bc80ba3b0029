/** A part of a list; `next` is the cursor of the part behind it, where there is one. */
export interface Page<Item> {
  items: Item[];
  next?: string;
}

/** The page of at most `limit` rows, of which one more was asked for to see whether there are others. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  as: { item: (row: Row) => Item; cursor: (item: Item) => string },
): Page<Item> {
  const items = rows.slice(0, limit).map(as.item);
  const last = items.at(-1);
  return rows.length > limit && last !== undefined ? { items, next: as.cursor(last) } : { items };
}
