import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, realpath, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Header, type HeaderData } from "tar";
import { librariesOf } from "../../../runtime/image/libraries.ts";

/** One entry of a tar that a test makes by hand, honest or not. */
export interface TarEntry {
  readonly path: string;
  readonly type?: HeaderData["type"];
  readonly content?: string | Buffer;
  readonly target?: string;
  readonly mode?: number;
}

/** A tar file with exactly these entries, whatever they say. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap(({ path, type = "File", content = "", target, mode = 0o644 }) => {
    const bytes = Buffer.from(content);
    const isLink = target !== undefined;
    const header = new Header({
      path,
      type,
      mode,
      size: bytes.length,
      mtime: new Date(1_700_000_000_000),
      ...(isLink ? { linkpath: target } : {}),
    });
    header.encode();
    const padding = Buffer.alloc((512 - (bytes.length % 512)) % 512);
    return [header.block ?? Buffer.alloc(0), bytes, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** A tar file that holds an OCI layout with one image of these layers. */
export function ociArchiveOf(
  layers: readonly Buffer[],
  options: { env?: readonly string[]; change?: (entries: TarEntry[]) => TarEntry[] } = {},
): Buffer {
  const entries: TarEntry[] = [];
  const put = (content: Buffer): { digest: string; size: number } => {
    const hex = createHash("sha256").update(content).digest("hex");
    entries.push({ path: `blobs/sha256/${hex}`, content });
    return { digest: `sha256:${hex}`, size: content.length };
  };
  const config = put(json({ config: { Env: options.env ?? [] } }));
  const image = put(json({ schemaVersion: 2, config, layers: layers.map(put) }));
  const foreign = { ...image, platform: { os: "linux", architecture: "s390x" } };
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const own = { ...image, platform: { os: "linux", architecture } };
  const nested = put(json({ schemaVersion: 2, manifests: [foreign, own] }));
  entries.push(
    { path: "oci-layout", content: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", content: json({ schemaVersion: 2, manifests: [nested] }) },
  );
  return tarOf(options.change?.(entries) ?? entries);
}

/** The files of a root file system that can run `sh`, by their paths in it. */
export async function shellFiles(): Promise<Map<string, Buffer>> {
  const shell = await realpath("/bin/sh");
  const libraries = await librariesOf([shell], AbortSignal.timeout(10_000));
  const files = new Map([["/bin/sh", await readFile(shell)]]);
  for (const path of libraries) files.set(path, await readFile(path));
  return files;
}

/** The same as entries of a tar. */
export async function shellEntries(): Promise<TarEntry[]> {
  return [...(await shellFiles())].map(([path, content]) => ({
    path: path.slice(1),
    content,
    mode: 0o755,
  }));
}

/** The same as a directory. */
export async function writeShell(directory: string): Promise<void> {
  for (const [path, content] of await shellFiles()) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content, { mode: 0o755 });
  }
  await copyFile("/etc/os-release", join(directory, "os-release"));
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
