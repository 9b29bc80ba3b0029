import { join } from "node:path";
import Sqlite from "better-sqlite3";

/** Has each write of a kind to a server's record fail until it is disposed, such as `UPDATE ON sandboxes`. */
export function failingWrites(dataDir: string, writes: string): Disposable {
  const record = new Sqlite(join(dataDir, "runlet.db"));
  record.exec(
    `CREATE TRIGGER fails BEFORE ${writes} BEGIN SELECT RAISE(ABORT, 'cannot be written'); END`,
  );
  return {
    [Symbol.dispose]: () => {
      record.exec("DROP TRIGGER fails");
      record.close();
    },
  };
}
