import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { messageOf, RunletError } from "../errors.ts";
import { unpackTar } from "./tar.ts";
import type { Tree } from "./tree.ts";

const maxJsonBytes = 4_000_000;
const maxDepth = 4;

const descriptor = z.object({
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
});
const index = z.object({ manifests: z.array(descriptor).min(1) });
const manifest = z.object({ config: descriptor, layers: z.array(descriptor) });
const config = z.object({
  config: z.object({ Env: z.array(z.string()).nullish() }).nullish(),
});
const dockerManifest = z
  .array(z.object({ Config: z.string(), Layers: z.array(z.string()) }))
  .min(1);

/** What an archive's image is made of: files of the archive, layers from the lowest up. */
interface Parts {
  readonly configFile: string;
  readonly layerFiles: readonly string[];
}

/** Tells whether an unpacked archive is an OCI layout, or what `docker save` has written before it knew that form. */
export async function isOciArchive(archive: Tree): Promise<boolean> {
  return (await archive.find("index.json")) !== undefined
    ? (await archive.find("oci-layout")) !== undefined
    : await isDockerArchive(archive);
}

/**
 * Applies the layers of an unpacked archive to `tree`, for the platform of this machine; answers the
 * environment that the image asks for.
 * @throws `invalid_argument` if a part is missing, damaged or malformed.
 */
export async function applyOciArchive(
  archive: Tree,
  tree: Tree,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const parts = (await archive.find("index.json"))
    ? await partsOfLayout(archive, signal)
    : await partsOfDockerArchive(archive);
  for (const layer of parts.layerFiles) {
    tree.beginLayer();
    await unpackTar(await requireFile(archive, layer), tree, { as: "layer", signal });
  }
  const { config: settings } = await readJson(archive, parts.configFile, config);
  return environment(settings?.Env ?? []);
}

async function partsOfLayout(archive: Tree, signal: AbortSignal): Promise<Parts> {
  let file = "index.json";
  for (let depth = 0; depth < maxDepth; depth++) {
    const found = await readJson(archive, file, z.union([manifest, index]));
    if ("layers" in found) {
      const all = [found.config, ...found.layers];
      for (const { digest } of all) await verify(archive, digest, signal);
      const [configFile = "", ...layerFiles] = all.map(({ digest }) => blob(digest));
      return { configFile, layerFiles };
    }
    const { digest } = choose(found.manifests);
    await verify(archive, digest, signal);
    file = blob(digest);
  }
  throw unusable("its indexes are nested too deeply");
}

async function isDockerArchive(archive: Tree): Promise<boolean> {
  const text = await archive.read("manifest.json", maxJsonBytes).catch(() => undefined);
  try {
    return dockerManifest.safeParse(JSON.parse(text ?? "null")).success;
  } catch {
    return false;
  }
}

async function partsOfDockerArchive(archive: Tree): Promise<Parts> {
  const [first] = await readJson(archive, "manifest.json", dockerManifest);
  return { configFile: first?.Config ?? "", layerFiles: first?.Layers ?? [] };
}

function choose(manifests: readonly z.infer<typeof descriptor>[]): z.infer<typeof descriptor> {
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const chosen = manifests.find(
    ({ platform }) =>
      platform === undefined || (platform.os === "linux" && platform.architecture === architecture),
  );
  if (chosen !== undefined) return chosen;
  const offered = manifests.map(({ platform }) => `${platform?.os}/${platform?.architecture}`);
  throw unusable(`it has no image for linux/${architecture}, only ${offered.join(", ")}`);
}

async function verify(archive: Tree, digest: string, signal: AbortSignal): Promise<void> {
  const hash = createHash("sha256");
  const file = await requireFile(archive, blob(digest));
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash, { signal });
  if (`sha256:${hash.digest("hex")}` !== digest) throw unusable(`blob ${digest} is damaged`);
}

async function readJson<T>(archive: Tree, file: string, schema: z.ZodType<T>): Promise<T> {
  const text = await archive.read(file, maxJsonBytes);
  if (text === undefined) throw unusable(`${file} is missing`);
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw unusable(`${file} is malformed: ${messageOf(cause)}`, cause);
  }
}

async function requireFile(archive: Tree, file: string): Promise<string> {
  const found = await archive.find(file);
  if (found === undefined) throw unusable(`${file} is missing`);
  return found;
}

function environment(entries: readonly string[]): Record<string, string> {
  const pairs = entries.map((entry) => /^([A-Za-z_]\w*)=([^\0]*)$/.exec(entry));
  return Object.fromEntries(pairs.flatMap((pair) => (pair ? [[pair[1], pair[2]]] : [])));
}

function blob(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

function unusable(fact: string, cause?: unknown): RunletError {
  return new RunletError("invalid_argument", `Cannot use the OCI archive: ${fact}`, { cause });
}
