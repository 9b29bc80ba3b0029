import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { ApiError } from "../client/errors.ts";
import type { Sandbox } from "../client/sandbox.ts";
import { factOf } from "./input.ts";
import { tarOf } from "./directory-tar.ts";
import { type OnLeftOut, unpackInto } from "./unpack.ts";

interface CopyOptions {
  /** Account inside whose rights are used. */
  user?: string | undefined;
  /** Told of what is not copied, and why not. */
  onLeftOut: OnLeftOut;
}

/** Copies a file, or what a directory holds, of this machine into a sandbox. */
export async function upload(
  from: string,
  box: Sandbox,
  to: string,
  { onLeftOut, ...options }: CopyOptions,
): Promise<void> {
  const stats = await stat(from).catch(() => undefined);
  if (stats?.isDirectory()) {
    await box.files.unpack(to, tarOf(from, { portable: true, onLeftOut }), options);
  } else if (stats?.isFile()) {
    const isInto = to.endsWith("/") || (await isDirectory(box, to, options));
    const mode = (stats.mode & 0o777).toString(8).padStart(3, "0");
    const path = isInto ? join(to, basename(from)) : to;
    await box.files.write(path, createReadStream(from), { ...options, mode, parents: true });
  } else {
    const fact = stats === undefined ? "no such file or directory" : "it is no file or directory";
    throw new Error(`Cannot copy ${from}: ${fact}`);
  }
}

/** Copies a file, or what a directory holds, of a sandbox to this machine. */
export async function download(
  box: Sandbox,
  from: string,
  to: string,
  { onLeftOut, ...options }: CopyOptions,
): Promise<void> {
  if (await isDirectory(box, from, options)) {
    await unpackInto(to, await box.files.pack(from, options), onLeftOut);
    return;
  }
  const { mode } = await box.files.stat(from, options);
  const isInto = to.endsWith("/") || (await stat(to).catch(() => undefined))?.isDirectory();
  const at = isInto ? join(to, basename(from)) : to;
  await writeWhole(resolve(at), await box.files.read(from, options), mode & 0o777);
}

/** Whether a directory stands there, itself or behind a link. */
async function isDirectory(
  box: Sandbox,
  path: string,
  options: Pick<CopyOptions, "user">,
): Promise<boolean> {
  try {
    const { kind } = await box.files.stat(path, options);
    if (kind !== "link") return kind === "directory";
    await box.files.list(path, options);
    return true;
  } catch (error) {
    if (error instanceof ApiError && ["not_found", "failed_precondition"].includes(error.code))
      return false;
    throw error;
  }
}

/** Writes a file that stands there once it is whole. */
async function writeWhole(
  path: string,
  content: AsyncIterable<Uint8Array>,
  mode: number,
): Promise<void> {
  const temporary = join(
    dirname(path),
    `.${basename(path).slice(0, 64)}.${randomBytes(6).toString("hex")}`,
  );
  const file = await open(temporary, "wx", mode).catch((cause: unknown) => {
    throw new Error(`Cannot write ${path}: ${factOf(cause)}`, { cause });
  });
  try {
    await pipeline(content, file.createWriteStream());
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
