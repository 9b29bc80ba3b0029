import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Image as StoredImage } from "../../runtime/image/image.ts";
import type { ImageStore } from "../../runtime/image/image-store.ts";
import type { Image, ImageProgress } from "../schema/image.ts";
import { RunletError } from "./errors.ts";
import { type Page, pageOf } from "./page.ts";

export interface AddOptions {
  onProgress: (progress: ImageProgress) => void;
  signal: AbortSignal;
}

export interface ImagesOptions {
  store: ImageStore;
  /** A directory for what is being received. */
  uploads: string;
  /** The snapshots that cannot be without an image, or some of them. */
  neededBy: (name: string) => readonly string[];
}

/** The images that containers start from, as callers see them. */
export class Images {
  readonly #store: ImageStore;
  readonly #uploads: string;
  readonly #neededBy: (name: string) => readonly string[];

  constructor(options: ImagesOptions) {
    this.#store = options.store;
    this.#uploads = options.uploads;
    this.#neededBy = options.neededBy;
  }

  /** A page by name. */
  async list({
    limit,
    after = "",
  }: {
    limit: number;
    after?: string | undefined;
  }): Promise<Page<Image>> {
    const behind = (await this.#store.list()).filter(({ name }) => name > after);
    return pageOf(behind, limit, { item: describe, cursor: ({ name }) => name });
  }

  async get(name: string): Promise<Image> {
    return describe(await this.#store.get(name));
  }

  /** @throws `not_found`, `failed_precondition` while a snapshot needs it. */
  async remove(name: string): Promise<void> {
    const snapshots = this.#neededBy(name);
    if (snapshots.length > 0) {
      throw new RunletError(
        "failed_precondition",
        `Cannot remove image ${name}: snapshots need it. Delete ${snapshots.join(", ")}`,
      );
    }
    await this.#store.remove(name);
  }

  /** Makes an image from an uploaded tar or OCI archive. */
  async add(
    name: string,
    body: ReadableStream | null,
    { onProgress, signal }: AddOptions,
  ): Promise<Image> {
    if (body === null) {
      throw new RunletError("invalid_argument", "Cannot add an image: the request has no body");
    }
    const directory = await mkdtemp(join(this.#uploads, "image-"));
    try {
      const path = join(directory, "archive.tar");
      let doneBytes = 0;
      const counted = Readable.fromWeb(body as never).on("data", (chunk: Buffer) => {
        doneBytes += chunk.length;
      });
      await pipeline(counted, createWriteStream(path), { signal });
      onProgress({ phase: "received", doneBytes, totalBytes: doneBytes });
      const image = await this.#store.add(
        name,
        { kind: "auto", path },
        {
          signal,
          onProgress: ({ totalBytes, ...rest }) =>
            onProgress(totalBytes === undefined ? rest : { ...rest, totalBytes }),
        },
      );
      return describe(image);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }
}

function describe({ name, digest, kind, sizeBytes, createdAtMs }: StoredImage): Image {
  return { name, digest, kind, sizeBytes, createdAtMs };
}
