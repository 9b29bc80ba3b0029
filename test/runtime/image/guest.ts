import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { newContainerId } from "../../../runtime/container/id.ts";
import { within } from "../../../runtime/deadline.ts";
import { messageOf } from "../../../runtime/errors.ts";
import { ImageStore } from "../../../runtime/image/image-store.ts";
import type { Image } from "../../../runtime/image/image.ts";
import { Bundle } from "../../../runtime/oci/bundle.ts";
import { withEnv, withProcess, withTmpfs } from "../../../runtime/oci/spec-options.ts";
import { buildSpec } from "../../../runtime/oci/spec.ts";
import { isUnknownContainer } from "../../../runtime/runsc/error.ts";
import type { RunscProcess } from "../../../runtime/runsc/process.ts";
import { Runsc } from "../../../runtime/runsc/runsc.ts";

const repository = join(import.meta.dirname, "../../..");

/** A directory of one test, removed with it. */
export class TestDirectory implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<TestDirectory> {
    return new TestDirectory(await mkdtemp(join(tmpdir(), "runlet-test-image-")));
  }

  file(name: string): string {
    return join(this.path, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** The images that all tests share, so that the default image is built once. */
export function sharedImages(): ImageStore {
  const directory =
    process.env["RUNLET_TEST_IMAGES"] || join(repository, "node_modules/.cache/runlet/images");
  return new ImageStore({ directory });
}

export interface GuestRun {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** A container that runs `args` in an image; `runsc` is of this container alone. */
export interface Guest extends AsyncDisposable {
  readonly process: RunscProcess;
  readonly runscRoot: string;
}

/** Starts `args` as the guest's user in an image, with a bounded /tmp. */
export async function startIn(image: Image, args: readonly string[]): Promise<Guest> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await TestDirectory.make());
  await mkdir(directory.file("runsc"));
  const runsc = new Runsc({ root: directory.file("runsc") });
  const id = newContainerId();
  const spec = buildSpec(
    image.root,
    withEnv(image.env),
    withProcess({ args }),
    withTmpfs("/tmp", 10_000_000),
  );
  const bundle = stack.use(Bundle.create(directory.path, id, spec));
  const process = await runsc.run(id, { bundle: bundle.path }, ["ignore", "pipe", "pipe"]);
  stack.defer(async () => {
    // An attached run removes its container by itself once that has ended.
    await runsc.kill(id, 9).catch(ignoreUnknown);
    await within(process.exited, "end the guest", 20_000);
  });
  const owned = stack.move();
  return {
    process,
    runscRoot: directory.file("runsc"),
    [Symbol.asyncDispose]: async () => {
      await owned.disposeAsync();
    },
  };
}

/** Runs `args` in an image to the end. */
export async function runIn(image: Image, args: readonly string[]): Promise<GuestRun> {
  await using guest = await startIn(image, args);
  const { stdout, stderr, exited } = guest.process;
  if (!stdout || !stderr) throw new Error("the guest has no output");
  const all = Promise.all([exited, text(stdout), text(stderr)]);
  const [end, out, err] = await within(all, "run the guest", 60_000);
  const said = guest.process.lastError() ?? "";
  return { code: end.code, stdout: out, stderr: err + said };
}

function ignoreUnknown(error: unknown): void {
  const isGone = isUnknownContainer(error) || /not running|stopped/.test(messageOf(error));
  if (!isGone) throw error;
}
