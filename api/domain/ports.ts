import type { FunctionConfig } from "../schema/function.ts";

/** A file or a symbolic link of a function's code; paths are relative and stay inside. */
export type CodeFile =
  | { readonly path: string; readonly mode: number; readonly bytes: Uint8Array }
  | { readonly path: string; readonly link: string };

/** Where code is kept, addressed by its content. */
export interface CodeRepository {
  /** Keeps files; answers their digest. The same files have the same digest. */
  put(files: readonly CodeFile[]): Promise<string>;
  read(digest: string): Promise<readonly CodeFile[]>;
  /** A directory of the host that holds the files, for read-only mounts. */
  path(digest: string): string;
}

/** One immutable version of a function. */
export interface StoredVersion {
  readonly name: string;
  readonly version: number;
  readonly config: FunctionConfig;
  /** Null for a function without code of its own. */
  readonly codeDigest: string | null;
  readonly revisionId: string;
  readonly createdAtUs: number;
}

/** Code of one execution on the host, removed when it is disposed. */
export interface ScratchDirectory extends AsyncDisposable {
  readonly path: string;
}

/** Puts the code of one execution on the host. */
export type ScratchCode = (files: readonly CodeFile[]) => Promise<ScratchDirectory>;
