import { guestUser, taskDirectory } from "../oci/spec.ts";
import type { Tree } from "./tree.ts";

const directories = [
  "/proc",
  "/dev",
  "/sys",
  "/run",
  "/etc",
  "/var",
  taskDirectory,
  guestUser.home,
];
const open = ["/tmp", "/var/tmp"];
const maxAccountBytes = 1_000_000;

/**
 * Adds what every container needs and an image may lack: the directories that something is mounted on, an
 * account for the guest's user, and the name of the loopback.
 */
export async function furnish(tree: Tree): Promise<void> {
  for (const path of directories) await tree.ensureDirectory(path);
  for (const path of open) await tree.ensureDirectory(path, 0o1777);
  const { uid, gid, name, home } = guestUser;
  await addAccount(tree, "/etc/passwd", uid, [
    "root:x:0:0:root:/root:/bin/sh",
    `${name}:x:${uid}:${gid}::${home}:/bin/sh`,
  ]);
  await addAccount(tree, "/etc/group", gid, ["root:x:0:", `${name}:x:${gid}:`]);
  if (!(await tree.read("/etc/hosts", maxAccountBytes))) {
    await tree.text("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n");
  }
}

async function addAccount(
  tree: Tree,
  path: string,
  id: number,
  [root = "", guest = ""]: readonly string[],
): Promise<void> {
  const text = await tree.read(path, maxAccountBytes);
  const lines = text === undefined ? [root] : text.split("\n").filter((line) => line !== "");
  if (lines.some((line) => line.split(":")[2] === String(id))) return;
  await tree.text(path, `${[...lines, guest].join("\n")}\n`);
}
