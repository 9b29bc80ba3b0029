import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A new directory that is removed when it is disposed. */
export class TempDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "runlet-test-store-"));

  /** A path inside the directory. */
  file(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    // Stored code is read-only, which keeps everybody but root from removing it.
    for (const entry of readdirSync(this.path, { recursive: true, withFileTypes: true })) {
      if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o700);
    }
    rmSync(this.path, { recursive: true, force: true });
  }
}
