import { v7 } from "uuid";
import { type Database, openDatabase } from "../../store/database.ts";
import type { NewInvocation } from "../../store/invocation-row.ts";
import { InvocationStore } from "../../store/invocations.ts";
import { TempDirectory } from "./temp-directory.ts";

/** A record in a directory of its own, for tests of invocations. */
export class OpenedInvocations implements Disposable {
  readonly #directory = new TempDirectory();
  readonly path: string = this.#directory.file("record.db");
  readonly database: Database = openDatabase(this.path);
  readonly invocations: InvocationStore = new InvocationStore(this.database);

  /** Inserts an invocation that is queued unless said otherwise, and answers its id. */
  insert(row: Partial<NewInvocation> = {}): string {
    const id = row.id ?? v7();
    this.invocations.insert({ kind: "invoke", status: "queued", queuedAtUs: 1, ...row, id });
    return id;
  }

  [Symbol.dispose](): void {
    this.database[Symbol.dispose]();
    this.#directory[Symbol.dispose]();
  }
}
