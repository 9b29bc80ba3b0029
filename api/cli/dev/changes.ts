import { type FSWatcher, readdirSync, watch } from "node:fs";
import { join } from "node:path";

/** An editor writes a file in several steps, and a save of all files is several files. */
const quietMs = 50;

/** What is not the function's own code, and may be very many files. */
const ignored: ReadonlySet<string> = new Set(["node_modules", ".git"]);

/**
 * The changes below a directory, as bursts; disposing it ends the watching. Each directory is watched by
 * itself: Node's recursive watch loses a file that an editor replaces by another of its name.
 */
export class Changes implements Disposable {
  readonly #directory: string;
  #watchers: FSWatcher[] = [];
  #next = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;

  /** @throws Error if the directory cannot be watched. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#watchTree();
  }

  /** Resolves when files have changed and {@link quietMs} have passed since. @throws if they cannot be watched. */
  get next(): Promise<void> {
    return this.#next.promise;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
    this.#tell();
  }

  /** Anew after each burst, for directories that came, went or were replaced; what they hold is read after that. */
  #watchTree(): void {
    const old = this.#watchers;
    this.#watchers = directoriesOf(this.#directory).map((path) => this.#watch(path));
    for (const watcher of old) watcher.close();
  }

  #watch(path: string): FSWatcher {
    return watch(path)
      .on("change", (_kind, name) => {
        if (ignored.has(String(name))) return;
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#settle(), quietMs);
      })
      .on("error", (error) => this.#next.reject(error));
  }

  #settle(): void {
    try {
      this.#watchTree();
      this.#tell();
    } catch (error) {
      this.#next.reject(error);
    }
  }

  #tell(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }
}

function directoriesOf(path: string): string[] {
  const entries = readdirSync(path, { withFileTypes: true });
  const inner = entries.filter((entry) => entry.isDirectory() && !ignored.has(entry.name));
  return [path, ...inner.flatMap(({ name }) => directoriesOf(join(path, name)))];
}
