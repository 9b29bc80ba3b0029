import { z } from "zod";
import { untilAborted } from "../../deadline.ts";
import { Wakeup } from "../../wakeup.ts";
import type { AgentLink } from "./agent-link.ts";
import { piecesUntil } from "./content.ts";

const entry = z.object({
  path: z.string(),
  kind: z.enum(["file", "directory", "link", "fifo", "socket", "device", "other"]),
  sizeBytes: z.number().nonnegative(),
  mode: z.int().min(0).max(0o7777),
  uid: z.number(),
  gid: z.number(),
  modifiedAtMs: z.number(),
  target: z.string().optional(),
});
const listing = z.object({ entries: z.array(entry), isTruncated: z.boolean() });
const opened = z.object({
  sizeBytes: z.number().nonnegative(),
  modifiedAtMs: z.number(),
  mode: z.number(),
});
const written = z.object({ sizeBytes: z.number() });

/** What stands at a path of a sandbox; bytes of a name that are no UTF-8 are lone surrogates, \udc80 to \udcff. */
export type FileEntry = z.infer<typeof entry>;

/** Whose rights are used; the sandbox's own user if nothing is said. */
export interface As {
  user?: string | undefined;
}

/** A file that is being read: how large it is, and its bytes as fast as they are taken. */
export interface OpenFile {
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly mode: number;
  readonly body: ReadableStream<Uint8Array>;
}

/** The files of a sandbox. Paths are the guest's, and are resolved nowhere but inside. */
export class AgentFiles {
  readonly #link: AgentLink;

  constructor(link: AgentLink) {
    this.#link = link;
  }

  async stat(path: string, as: As = {}, signal?: AbortSignal): Promise<FileEntry> {
    return entry.parse(await this.#ask(`show ${path}`, "stat", { path, ...as }, signal));
  }

  /** Lists a directory to a depth; paths are relative to it. At most 10,000 entries. */
  async list(
    path: string,
    options: As & { depth: number },
    signal?: AbortSignal,
  ): Promise<z.infer<typeof listing>> {
    return listing.parse(await this.#ask(`list ${path}`, "list", { path, ...options }, signal));
  }

  async mkdir(
    path: string,
    options: As & { makeParents?: boolean; mode?: number | undefined },
    signal?: AbortSignal,
  ): Promise<FileEntry> {
    return entry.parse(
      await this.#ask(`make directory ${path}`, "mkdir", { path, ...options }, signal),
    );
  }

  async move(
    path: string,
    to: string,
    options: As & { overwrite?: boolean },
    signal?: AbortSignal,
  ): Promise<FileEntry> {
    return entry.parse(
      await this.#ask(`move ${path} to ${to}`, "move", { path, to, ...options }, signal),
    );
  }

  async remove(
    path: string,
    options: As & { recursive?: boolean },
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#ask(`remove ${path}`, "remove", { path, ...options }, signal);
  }

  /** Opens a file, or `lengthBytes` of it from `startBytes` on. */
  async read(
    path: string,
    options: As & { start?: number | undefined; length?: number | undefined } = {},
    signal?: AbortSignal,
  ): Promise<OpenFile> {
    const head = Promise.withResolvers<z.infer<typeof opened>>();
    const pieces: Buffer[] = [];
    const arrived = new Wakeup();
    const call = this.#link.open(
      "read",
      { path, start: 0, ...options },
      {
        what: `read ${path}`,
        onEvent: (event) => head.resolve(opened.parse(event)),
        onData: (body) => {
          pieces.push(body);
          arrived.wake();
        },
      },
    );
    call.result.catch(head.reject).finally(() => arrived.wake());
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          while (pieces.length === 0 && !call.isOver) await arrived.next();
          const piece = pieces.shift();
          if (piece === undefined) {
            await call.result;
            controller.close();
            return;
          }
          call.consumed(piece.byteLength);
          controller.enqueue(piece);
        },
        cancel: () => call.cancel(),
      },
      { highWaterMark: 0 },
    );
    try {
      return { ...(await untilAborted(head.promise, signal)), body };
    } catch (error) {
      call.cancel();
      throw error;
    }
  }

  /** Writes a file; it stands at its path once it is whole, and until then what stood there before. */
  async write(
    path: string,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    options: As & { mode?: number | undefined; makeParents?: boolean | undefined } = {},
    signal?: AbortSignal,
  ): Promise<z.infer<typeof written>> {
    const call = this.#link.open("write", { path, ...options }, { what: `write ${path}` });
    try {
      const isWhole = content instanceof Uint8Array;
      const pieces = isWhole ? [content] : piecesUntil(content, call.result);
      for await (const piece of pieces) await call.write(piece, signal);
      call.end();
      return written.parse(await untilAborted(call.result, signal));
    } catch (error) {
      call.cancel();
      throw error;
    }
  }

  async #ask(
    what: string,
    op: string,
    args: object,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    return await untilAborted(this.#link.open(op, args, { what }).result, signal);
  }
}
