import type { FileChange, FileEntry, FileListing } from "../schema/sandbox-file.ts";
import { type Connection, quickTimeoutMs } from "./connection.ts";
import { follow, type FollowOptions } from "./follow.ts";
import { Methods } from "./methods.ts";
import { asJson, pathOf, withQuery } from "./request.ts";
import type { ServerResponse } from "./server-response.ts";

/** Whose rights are used; the sandbox's own user if nothing is said. */
interface As {
  user?: string | undefined;
}

interface ReadFileOptions extends As {
  range?: string;
  signal?: AbortSignal;
}

export interface WriteFileOptions extends As {
  /** Permission bits in octal, such as 644. */
  mode?: string | undefined;
  /** Whether missing directories are made. */
  parents?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** What a client does with the files of a sandbox. */
export class SandboxFileMethods extends Methods {
  /** The bytes of a file, or of a range of it, as they come. */
  async readFile(
    sandboxId: string,
    path: string,
    options: ReadFileOptions = {},
  ): Promise<ReadableStream<Uint8Array>> {
    return (await openFile(this.connection, sandboxId, path, options)).stream();
  }

  /** The text of a file. */
  async readText(sandboxId: string, path: string, options: As = {}): Promise<string> {
    const response = await openFile(this.connection, sandboxId, path, options);
    return await this.connection.body(response.text());
  }

  /** Writes a file; it stands there once it is whole. */
  async writeFile(
    sandboxId: string,
    path: string,
    body: string | Uint8Array | AsyncIterable<Uint8Array>,
    { signal, parents, ...query }: WriteFileOptions = {},
  ): Promise<{ sizeBytes: number }> {
    const asked = { path, ...query, parents: parents === undefined ? undefined : String(parents) };
    return await this.connection.ask(filesOf(sandboxId, "", asked), {
      method: "PUT",
      body,
      headers: { "content-type": "application/octet-stream" },
      signal,
    });
  }

  /** Removes a file, or a directory with all that it holds. */
  async removeFile(
    sandboxId: string,
    path: string,
    { user, recursive = false }: As & { recursive?: boolean } = {},
  ): Promise<void> {
    await this.connection.delete(
      filesOf(sandboxId, "", { path, user, recursive: String(recursive) }),
    );
  }

  /** What stands at a path. */
  async statFile(sandboxId: string, path: string, { user }: As = {}): Promise<FileEntry> {
    return await this.connection.get(filesOf(sandboxId, "entry", { path, user }));
  }

  /** What a directory holds, to a depth. */
  async listFiles(
    sandboxId: string,
    path: string,
    { user, depth }: As & { depth?: number } = {},
  ): Promise<FileListing> {
    return await this.connection.get(filesOf(sandboxId, "list", { path, user, depth }));
  }

  /** A directory with all that it holds, as a tar that comes as it is read. */
  async packDirectory(
    sandboxId: string,
    path: string,
    { user }: As = {},
  ): Promise<ReadableStream<Uint8Array>> {
    const asked = filesOf(sandboxId, "archive", { path, user });
    return (await this.connection.send(asked, { method: "GET" })).stream();
  }

  /** Makes of a tar, plain or compressed, what it holds, below a directory. */
  async unpackDirectory(
    sandboxId: string,
    path: string,
    archive: Uint8Array | AsyncIterable<Uint8Array>,
    { user }: As = {},
  ): Promise<{ entries: number }> {
    return await this.connection.ask(filesOf(sandboxId, "archive", { path, user }), {
      method: "PUT",
      body: archive,
      headers: { "content-type": "application/x-tar" },
    });
  }

  /** Tells of what changes below a directory, until it is gone. */
  watchDirectory(
    sandboxId: string,
    path: string,
    { user, recursive = false, ...options }: As & FollowOptions & { recursive?: boolean } = {},
  ): AsyncGenerator<FileChange> {
    const asked = { path, user, recursive: String(recursive) };
    return follow(this.connection, filesOf(sandboxId, "watch", asked), options);
  }

  /** Makes a directory. */
  async makeDirectory(
    sandboxId: string,
    path: string,
    options: As & { parents?: boolean; mode?: string } = {},
  ): Promise<FileEntry> {
    return await this.connection.ask(filesOf(sandboxId, "mkdir"), {
      ...asJson("POST", { path, ...options }),
      timeoutMs: quickTimeoutMs,
    });
  }

  /** Moves a file or a directory. */
  async moveFile(
    sandboxId: string,
    path: string,
    to: string,
    options: As & { overwrite?: boolean } = {},
  ): Promise<FileEntry> {
    return await this.connection.ask(filesOf(sandboxId, "move"), {
      ...asJson("POST", { path, to, ...options }),
      timeoutMs: quickTimeoutMs,
    });
  }
}

async function openFile(
  connection: Connection,
  sandboxId: string,
  path: string,
  { user, range, signal }: ReadFileOptions,
): Promise<ServerResponse> {
  return await connection.send(filesOf(sandboxId, "", { path, user }), {
    method: "GET",
    ...(range !== undefined && { headers: { range } }),
    signal,
  });
}

function filesOf(
  sandboxId: string,
  what: "" | "archive" | "entry" | "list" | "mkdir" | "move" | "watch",
  query: Record<string, string | number | undefined> = {},
): string {
  const rest = what === "" ? [] : [what];
  return withQuery(pathOf("sandboxes", sandboxId, "files", ...rest), query);
}
