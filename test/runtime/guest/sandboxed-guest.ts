import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newContainerId } from "../../../runtime/container/id.ts";
import { poll, within } from "../../../runtime/deadline.ts";
import { Channel, type Received } from "../../../runtime/guest/channel.ts";
import { type GuestRuntime, runnerArgs } from "../../../runtime/guest/program.ts";
import { Bundle } from "../../../runtime/oci/bundle.ts";
import { buildSpec } from "../../../runtime/oci/spec.ts";
import { withEnv, withProcess, withTmpfs } from "../../../runtime/oci/spec-options.ts";
import { Runsc } from "../../../runtime/runsc/runsc.ts";
import { sharedImages } from "../image/guest.ts";

const patienceMs = 60_000;

/** A runner as the first process of a real sandbox of the default image. */
export class SandboxedGuest implements AsyncDisposable {
  readonly channel: Channel;
  readonly #exited: Promise<{ code: number | undefined }>;
  readonly #stack: AsyncDisposableStack;
  #stdout = "";

  private constructor(
    channel: Channel,
    exited: Promise<{ code: number | undefined }>,
    stack: AsyncDisposableStack,
  ) {
    this.channel = channel;
    this.#exited = exited;
    this.#stack = stack;
  }

  static async start(runtime: GuestRuntime): Promise<SandboxedGuest> {
    await using stack = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), "runlet-test-sandbox-"));
    stack.defer(async () => await rm(directory, { recursive: true, force: true }));
    const image = await sharedImages().ensureDefault();
    const spec = buildSpec(
      image.root,
      withEnv(image.env),
      withTmpfs("/tmp", 64 * 1024 * 1024),
      withProcess({ args: runnerArgs(runtime) }),
    );
    const id = newContainerId();
    const bundle = stack.use(Bundle.create(directory, id, spec));
    const runsc = new Runsc({ root: directory });
    const options = { bundle: bundle.path, passFds: [{ host: 3, guest: 3 }] };
    const process_ = await runsc.run(id, options, ["ignore", "pipe", "pipe", "pipe"]);
    stack.defer(async () => {
      // The runner ends by itself; a delete in the middle of that makes runsc wait and fail.
      await within(process_.exited, "see runsc exit", patienceMs).catch(() => undefined);
      await runsc.delete(id, { force: true });
    });
    const socket = process_.extra.get(3);
    assert.ok(socket);
    const guest = new SandboxedGuest(new Channel(socket), process_.exited, stack.move());
    process_.stdout?.setEncoding("utf8").on("data", (text: string) => (guest.#stdout += text));
    process_.stderr?.pipe(process.stderr, { end: false });
    return guest;
  }

  async receive(): Promise<Received> {
    const received = await within(this.channel.next(), "hear the guest", patienceMs);
    assert.ok(received, "the guest ended");
    return received;
  }

  /** Waits until the guest has written so many characters in all. */
  async output(length: number): Promise<string> {
    return await poll(
      "see the output",
      () => (this.#stdout.length >= length ? this.#stdout : undefined),
      { timeoutMs: patienceMs },
    );
  }

  async exitCode(): Promise<number | undefined> {
    return (await within(this.#exited, "see the sandbox end", patienceMs)).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.channel.close();
    await this.#stack.disposeAsync();
  }
}
