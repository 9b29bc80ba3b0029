import { link, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { LRUCache } from "lru-cache";
import PQueue from "p-queue";
import { startDeadline } from "../deadline.ts";
import { RunletError } from "../errors.ts";
import { withErofsRoot } from "../oci/spec-options.ts";
import { defaultMaxBytes, type ImageSource, stageSource } from "./added-image.ts";
import { stageDefault } from "./default-image.ts";
import { digestOfFile, packErofs } from "./erofs.ts";
import { hostImage } from "./host-image.ts";
import { defaultEnv, type Image, isImageName, requireOwnName } from "./image.ts";
import { imageFile, type Manifest, readManifest, writeManifest } from "./manifest.ts";
import type { OnProgress } from "./progress.ts";
import { readRecipe } from "./recipe.ts";
import { Staging } from "./staging.ts";

export interface ImageStoreConfig {
  /** Directory of the images, made where it is missing; one directory serves any number of processes. */
  directory: string;
  /** The EROFS packer; `mkfs.erofs` on PATH by default. */
  packer?: string;
}

export interface BuildOptions {
  onProgress?: OnProgress | undefined;
  signal?: AbortSignal | undefined;
  /** Bound on the whole of the work; 15 minutes by default. */
  timeoutMs?: number | undefined;
}

export interface AddOptions extends BuildOptions {
  /** Bound on the unpacked size. */
  maxBytes?: number | undefined;
}

const defaultTimeoutMs = 15 * 60_000;
const emptyDirectory = ".empty";

/**
 * The images on this machine: one directory an image, with an EROFS file and its manifest. An image comes
 * and goes by a rename, so that no process ever sees half of one; equal images share one file.
 */
export class ImageStore {
  readonly #directory: string;
  readonly #packer: string;
  /** One at a time: whoever comes second finds it built. */
  readonly #builds = new PQueue({ concurrency: 1 });
  /** Every invocation asks for its image; another process may change one, so nothing is believed for long. */
  readonly #recent = new LRUCache<string, Image>({ max: 100, ttl: 1000 });

  constructor(config: ImageStoreConfig) {
    this.#directory = resolve(config.directory);
    this.#packer = config.packer ?? "mkfs.erofs";
  }

  /**
   * The default image, made of the host's own programs if there is none, or if they have changed since.
   * @throws `unavailable` if a tool is missing that makes it.
   */
  async ensureDefault(options: BuildOptions = {}): Promise<Image> {
    this.#recent.clear();
    using deadline = startDeadline(
      "build the default image",
      options.timeoutMs ?? defaultTimeoutMs,
      options.signal,
    );
    const { signal } = deadline;
    return await this.#builds.add(
      async () => await this.#buildDefault(signal, options.onProgress ?? (() => {})),
      { signal },
    );
  }

  /**
   * An image by its name; the default image is built if there is none yet.
   * @throws `not_found` for a name that no image has.
   */
  async get(name: string): Promise<Image> {
    const recent = this.#recent.get(name);
    if (recent !== undefined) return recent;
    const image = await this.#find(name);
    this.#recent.set(name, image);
    return image;
  }

  async #find(name: string): Promise<Image> {
    if (name === "host") return await hostImage(this.#directory);
    const manifest = isImageName(name) ? await readManifest(this.#home(name)) : undefined;
    if (manifest !== undefined) return this.#image(name, manifest);
    if (name === "default") return await this.ensureDefault();
    const names = [...new Set(["default", "host", ...(await this.#names())])];
    throw new RunletError(
      "not_found",
      `Cannot find image ${JSON.stringify(name)}: there are ${names.join(", ")}. Add one with \`runlet image add PATH --name NAME\``,
    );
  }

  /** The host image and all that were built or added, by name. */
  async list(): Promise<Image[]> {
    const images = [await hostImage(this.#directory)];
    for (const name of await this.#names()) {
      const manifest = await readManifest(this.#home(name));
      if (manifest !== undefined) images.push(this.#image(name, manifest));
    }
    return images.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Makes an image of a directory, a tar or an OCI archive; none of them is trusted.
   * @throws `already_exists` if the name is taken, `invalid_argument` or `payload_too_large` for a source
   * that cannot be used, `unavailable` if the packer is missing.
   */
  async add(name: string, source: ImageSource, options: AddOptions = {}): Promise<Image> {
    requireOwnName("add", name);
    const what = `add image ${JSON.stringify(name)}`;
    using deadline = startDeadline(what, options.timeoutMs ?? defaultTimeoutMs, options.signal);
    const { signal } = deadline;
    const onProgress = options.onProgress ?? ((): void => {});
    await this.#prepare();
    if ((await this.#names()).includes(name)) throw alreadyExists(name);
    await using staging = await Staging.open(this.#directory);
    const maxBytes = options.maxBytes ?? defaultMaxBytes;
    const { root, env } = await stageSource(source, staging, { maxBytes, onProgress, signal });
    const packed = staging.file("packed");
    const sizeBytes = await this.#pack(root, packed, { onProgress, signal });
    const digest = await digestOfFile(packed, signal);
    const home = await staging.directory("image");
    await this.#shareOrMove(packed, home, digest);
    const manifest: Manifest = { version: 1, digest, sizeBytes, createdAtMs: Date.now(), env };
    await writeManifest(home, manifest);
    signal.throwIfAborted();
    await rename(home, this.#home(name)).catch((error: NodeJS.ErrnoException) => {
      throw error.code === "ENOTEMPTY" || error.code === "EEXIST" ? alreadyExists(name) : error;
    });
    return this.#image(name, manifest);
  }

  /**
   * Removes an image that was added; its file goes with the last image that shares it, and its bytes with
   * the last container that runs from it.
   * @throws `not_found` if there is none.
   */
  async remove(name: string): Promise<void> {
    requireOwnName("remove", name);
    this.#recent.delete(name);
    await this.#prepare();
    await using staging = await Staging.open(this.#directory);
    await rename(this.#home(name), staging.file("removed")).catch(
      async (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") await this.get(name);
        throw error;
      },
    );
  }

  async #buildDefault(signal: AbortSignal, onProgress: OnProgress): Promise<Image> {
    await this.#prepare();
    onProgress({ phase: "looking", doneBytes: 0, totalBytes: undefined });
    const home = this.#home("default");
    const built = await readManifest(home);
    let recipe = await readRecipe(signal, built?.linked);
    if (built?.digest === recipe.digest) {
      const { linked } = recipe;
      if (built.linked?.digest !== linked.digest) await writeManifest(home, { ...built, linked });
      return this.#image("default", built);
    }
    // A library that is another one now may need others.
    if (built?.linked?.digest === recipe.linked.digest) recipe = await readRecipe(signal);
    const { digest, linked } = recipe;
    await using staging = await Staging.open(this.#directory);
    const root = await stageDefault(recipe, staging, { onProgress, signal });
    const packed = staging.file("packed");
    const sizeBytes = await this.#pack(root, packed, { onProgress, signal });
    await mkdir(home, { recursive: true });
    await rename(packed, imageFile(home, digest));
    const manifest: Manifest = {
      version: 1,
      digest,
      sizeBytes,
      createdAtMs: Date.now(),
      env: defaultEnv,
      linked,
    };
    await writeManifest(home, manifest);
    if (built !== undefined) await rm(imageFile(home, built.digest), { force: true });
    return this.#image("default", manifest);
  }

  async #pack(
    root: string,
    file: string,
    options: { onProgress: OnProgress; signal: AbortSignal },
  ): Promise<number> {
    options.onProgress({ phase: "packing", doneBytes: 0, totalBytes: undefined });
    const sizeBytes = await packErofs(this.#packer, root, file, options.signal);
    options.onProgress({ phase: "packing", doneBytes: sizeBytes, totalBytes: sizeBytes });
    return sizeBytes;
  }

  /** An equal image's file under a second name keeps one copy on disk and in the page cache. */
  async #shareOrMove(packed: string, home: string, digest: string): Promise<void> {
    const target = imageFile(home, digest);
    for (const name of await this.#names()) {
      const isEqual = (await readManifest(this.#home(name)))?.digest === digest;
      if (isEqual && (await tryLink(imageFile(this.#home(name), digest), target))) return;
    }
    await rename(packed, target);
  }

  #image(name: string, { digest, sizeBytes, createdAtMs, env }: Manifest): Image {
    const file = imageFile(this.#home(name), digest);
    const root = withErofsRoot(file, join(this.#directory, emptyDirectory));
    return { name, digest, kind: "erofs", sizeBytes, createdAtMs, root, env };
  }

  async #prepare(): Promise<void> {
    await mkdir(join(this.#directory, emptyDirectory), { recursive: true, mode: 0o700 });
  }

  async #names(): Promise<string[]> {
    const names = await readdir(this.#directory).catch(() => []);
    return names.filter((name) => isImageName(name) && name !== "host");
  }

  #home(name: string): string {
    return join(this.#directory, name);
  }
}

/** Tells whether it worked; it does not when the other image goes at this moment. */
async function tryLink(existing: string, target: string): Promise<boolean> {
  try {
    await link(existing, target);
    return true;
  } catch {
    return false;
  }
}

function alreadyExists(name: string): RunletError {
  return new RunletError(
    "already_exists",
    `Cannot add image ${JSON.stringify(name)}: there is one of that name. Remove it first, or choose another name`,
  );
}
