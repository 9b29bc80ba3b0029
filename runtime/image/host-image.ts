import { createHash } from "node:crypto";
import { lstat, mkdir, readFile, readlink, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { compose, withReadOnlyBind, withRootDirectory } from "../oci/spec-options.ts";
import { furnish } from "./furnish.ts";
import { defaultEnv, type Image } from "./image.ts";
import { Staging } from "./staging.ts";
import { Tree } from "./tree.ts";

const version = 1;
/** What a merged `/usr` has as links, and any other host as directories. */
const systemDirectories = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
const sharedDirectories = ["/etc/ssl/certs", "/etc/alternatives"];
const sharedFiles = ["/etc/ld.so.cache"];
const nodePath = "/opt/runlet/bin/node";
const limits = { maxBytes: 1_000_000, maxEntries: 1_000 };

interface Plan {
  readonly links: readonly (readonly [path: string, target: string])[];
  readonly directories: readonly string[];
  /** Files of the host by the path that they are seen at. */
  readonly files: readonly (readonly [path: string, source: string])[];
  readonly osRelease: string;
  readonly path: string;
}

/**
 * The host's own programs, seen read-only: an image that costs nothing to make, at the price of a gofer
 * process and of showing the guest what is installed.
 */
export async function hostImage(store: string): Promise<Image> {
  const plan = await readPlan();
  const digest = createHash("sha256")
    .update(JSON.stringify([version, plan]))
    .digest("hex");
  const skeleton = await ensureSkeleton(store, digest, plan);
  return {
    name: "host",
    digest,
    kind: "host",
    sizeBytes: 0,
    createdAtMs: Math.round((await stat(skeleton)).mtimeMs),
    root: compose(
      withRootDirectory(skeleton),
      ...plan.directories.map((path) => withReadOnlyBind(path, path)),
      ...plan.files.map(([path, source]) => withReadOnlyBind(source, path)),
    ),
    env: { ...defaultEnv, PATH: plan.path },
  };
}

async function readPlan(): Promise<Plan> {
  const links: (readonly [string, string])[] = [];
  const directories = ["/usr"];
  for (const name of systemDirectories) {
    const stats = await lstat(`/${name}`).catch(() => undefined);
    if (stats?.isSymbolicLink()) links.push([`/${name}`, await readlink(`/${name}`)]);
    else if (stats?.isDirectory()) directories.push(`/${name}`);
  }
  for (const path of sharedDirectories) if (await isThere(path)) directories.push(path);
  const files: (readonly [string, string])[] = [];
  for (const path of sharedFiles) if (await isThere(path)) files.push([path, path]);
  const isNodeSeen = process.execPath.startsWith("/usr/");
  if (!isNodeSeen) files.push([nodePath, process.execPath]);
  const nodeDirectory = dirname(isNodeSeen ? process.execPath : nodePath);
  const search = [nodeDirectory, ...defaultEnv.PATH.split(":")];
  return {
    links,
    directories,
    files,
    osRelease: await readFile("/etc/os-release", "utf8").catch(() => ""),
    path: [...new Set(search)].join(":"),
  };
}

async function ensureSkeleton(store: string, digest: string, plan: Plan): Promise<string> {
  const skeleton = join(store, `.host-${digest.slice(0, 16)}`);
  if (await isThere(skeleton)) return skeleton;
  await mkdir(store, { recursive: true, mode: 0o700 });
  await using staging = await Staging.open(store);
  const tree = new Tree(await staging.directory("host"), limits);
  for (const [path, target] of plan.links) await tree.link(path, target);
  for (const path of plan.directories) await tree.ensureDirectory(path);
  for (const [path] of plan.files) await tree.text(path, "");
  await tree.text("/etc/os-release", plan.osRelease);
  await tree.text("/etc/resolv.conf", "");
  await tree.text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
  await furnish(tree);
  await rename(tree.root, skeleton).catch(async (error: unknown) => {
    // Another process was faster, with the same content.
    if (!(await isThere(skeleton))) throw error;
  });
  return skeleton;
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
