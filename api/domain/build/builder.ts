import { createHash } from "node:crypto";
import { nowUs } from "../../../runtime/clock.ts";
import {
  type Installation,
  type Installer,
  packageDirectories,
} from "../../../runtime/build/installer.ts";
import type { ImageStore } from "../../../runtime/image/image-store.ts";
import type { BuildStore } from "../../../store/builds.ts";
import type { Build, FunctionSpec } from "../../schema/function.ts";
import { readTar } from "../code/tar-archive.ts";
import { RunletError } from "../errors.ts";
import type { Invocations, RunContext } from "../invocations.ts";
import { failureOfExit, invocationError, isSuccess, type Outcome } from "../outcome.ts";
import type { CodeFile, CodeRepository } from "../ports.ts";
import { ofProgram } from "../program-run.ts";
import { type Dependencies, dependenciesOf } from "./dependencies.ts";

export interface BuilderOptions {
  installer: Installer;
  images: ImageStore;
  invocations: Invocations;
  code: CodeRepository;
  store: BuildStore;
}

/** Code as it was sent, and how it is to be deployed. */
export interface BuildRequest {
  readonly name: string;
  readonly spec: Pick<FunctionSpec, "runtime" | "image" | "dependencies">;
  readonly files: readonly CodeFile[];
}

/** Code with what it depends on. */
export interface Built {
  readonly files: readonly CodeFile[];
  /** Absent where there was nothing to install. */
  readonly build?: Build;
}

const maxFiles = 20_000;
const shownLines = 10;
const shownColumns = 300;

/** Installs what code depends on and does not bring along, once for the same dependencies. */
export class Builder {
  readonly #options: BuilderOptions;
  /** The last build of each key: whoever comes second finds it done. */
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(options: BuilderOptions) {
    this.#options = options;
  }

  /**
   * Adds its dependencies to code.
   * @throws `failed_precondition` where they would have to be fetched and builds have no network;
   * `payload_too_large`; InvocationError with the end of the log where they cannot be installed.
   */
  async build({ name, spec, files }: BuildRequest, signal: AbortSignal): Promise<Built> {
    if (spec.dependencies === "as-is") return { files };
    const needed = dependenciesOf(files, spec.runtime);
    if (needed === undefined) return { files };
    const { installer, images, code } = this.#options;
    if (needed.isRemote && !installer.hasNetwork) throw noNetwork(name, needed);
    const runsScripts = spec.dependencies === "install-with-scripts";
    const sources = runsScripts ? files : needed.files;
    const { manager, isLocked, packages } = needed;
    const image = await images.get(spec.image);
    const installation = await installer.plan(
      { manager, image, runsScripts, isLocked, packages },
      signal,
    );
    const source = await code.put(sources);
    const key = createHash("sha256").update(`${installation.identity}\n${source}`).digest("hex");
    const build = await this.#alone(key, async () => {
      return this.#kept(key) ?? (await this.#install(key, { name, installation, source, signal }));
    });
    const whole = [...files, ...(await code.read(build.codeDigest))];
    this.#checkSize(name, whole);
    const { invocationId, isCached } = build;
    return { files: whole, build: { invocationId, isCached } };
  }

  #kept(key: string): (Build & { codeDigest: string }) | undefined {
    const row = this.#options.store.use(key, nowUs());
    return row && { ...row, isCached: true };
  }

  async #install(key: string, work: Work): Promise<Build & { codeDigest: string }> {
    const { invocations, code, store } = this.#options;
    const { name, installation, source, signal } = work;
    let installed: readonly CodeFile[] = [];
    const { record, outcome } = await invocations.run(
      {
        kind: "build",
        functionName: name,
        runtime: installation.manager === "npm" ? "node" : "python",
        image: installation.image.name,
      },
      async (run): Promise<Outcome> => {
        const result = await this.#run(installation, code.path(source), run);
        installed = result.files;
        return result.outcome;
      },
      { signal },
    );
    if (outcome.failure !== undefined) throw failed(work, record, outcome);
    const codeDigest = await code.put(installed);
    store.put({ key, codeDigest, invocationId: record.id }, nowUs());
    return { codeDigest, invocationId: record.id, isCached: false };
  }

  async #run(
    installation: Installation,
    task: string,
    run: RunContext,
  ): Promise<{ outcome: Outcome; files: readonly CodeFile[] }> {
    const { installer } = this.#options;
    const start = performance.now();
    const { exit, stdout, stderr, containerId } = await installer.run(installation, task, {
      ...run,
      onContainer: ofProgram(run.onContainer),
    });
    const runUs = Math.round((performance.now() - start) * 1000);
    const facts: Outcome = { exit, stderr, containerId, start: "cold", runUs };
    if (stdout.truncated) {
      return { files: [], outcome: { ...facts, failure: tooLarge(installer.maxBytes) } };
    }
    if (!isSuccess(exit)) {
      return { files: [], outcome: { ...facts, failure: failureOf(exit, installer.timeoutMs) } };
    }
    try {
      const limits = { maxBytes: installer.maxBytes, maxFiles };
      const files = await readTar(stdout.toBuffer(), limits);
      const directory = `${packageDirectories[installation.manager]}/`;
      return { files: files.filter(({ path }) => path.startsWith(directory)), outcome: facts };
    } catch (error) {
      if (!(error instanceof RunletError)) throw error;
      const isTooLarge = error.code === "payload_too_large";
      const failure = isTooLarge ? tooLarge(installer.maxBytes) : error;
      return { files: [], outcome: { ...facts, failure } };
    }
  }

  #checkSize(name: string, files: readonly CodeFile[]): void {
    const bytes = files.reduce((sum, file) => sum + ("bytes" in file ? file.bytes.length : 0), 0);
    const { maxBytes } = this.#options.installer;
    if (bytes <= maxBytes && files.length <= maxFiles) return;
    throw new RunletError(
      "payload_too_large",
      `Cannot deploy ${name}: its code with what it depends on has ${bytes} bytes in ${files.length} files; ` +
        `${maxBytes} (RUNLET_BUILD_MAX_BYTES) in ${maxFiles} are allowed`,
    );
  }

  /** Has work wait for what is under way under the same key. */
  async #alone<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#running.get(key);
    const done = (async () => {
      await before?.catch(() => undefined);
      return await work();
    })();
    this.#running.set(key, done);
    try {
      return await done;
    } finally {
      if (this.#running.get(key) === done) this.#running.delete(key);
    }
  }
}

interface Work {
  readonly name: string;
  readonly installation: Installation;
  /** The digest of what it is made of. */
  readonly source: string;
  readonly signal: AbortSignal;
}

function failureOf(exit: NonNullable<Outcome["exit"]>, timeoutMs: number): RunletError {
  const isOwn = exit.reason === "exited" || exit.reason === "signaled" || exit.reason === "oom";
  if (exit.reason === "timeout") {
    const why = `not done within ${timeoutMs} ms (RUNLET_BUILD_TIMEOUT_MS)`;
    return new RunletError("function_timeout", `The build was ended: ${why}`);
  }
  if (!isOwn) return failureOfExit(exit, timeoutMs);
  const how =
    exit.reason === "oom"
      ? "ran out of memory (RUNLET_BUILD_MEMORY_BYTES)"
      : exit.signal === undefined
        ? `exited with code ${exit.code}`
        : `was killed by ${exit.signal}`;
  return new RunletError("invalid_argument", `The build ${how}`);
}

function failed(
  { name, installation }: Work,
  record: Parameters<typeof invocationError>[0],
  outcome: Outcome,
): Error {
  const { failure, stderr } = outcome;
  if (failure === undefined) throw new Error("A build that did not fail has no error");
  const log = excerptOf(stderr?.text() ?? "");
  const what = `Cannot deploy ${name}: ${installation.manager} could not install what it depends on`;
  const more = log && `\n${log}\nThe whole log: runlet logs ${record.id}`;
  const code = failure.code === "function_timeout" ? "deadline_exceeded" : failure.code;
  const told = new RunletError(code, `${what}. ${failure.message}${more}`);
  return invocationError(record, told, outcome);
}

/** The first and the last lines: npm says first what is wrong, pip and compilers say it last. */
function excerptOf(log: string): string {
  const lines = log
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("npm http "))
    .map((line) => line.slice(0, shownColumns));
  if (lines.length <= 2 * shownLines) return lines.join("\n");
  return [...lines.slice(0, shownLines), "...", ...lines.slice(-shownLines)].join("\n");
}

function noNetwork(name: string, { manager, manifest }: Dependencies): RunletError {
  const [vendoring, host] =
    manager === "npm"
      ? ["node_modules (npm ci --omit=dev)", "registry.npmjs.org"]
      : ["wheels (pip wheel -w wheels -r requirements.txt)", "pypi.org,files.pythonhosted.org"];
  return new RunletError(
    "failed_precondition",
    `Cannot deploy ${name}: what its ${manifest} names would have to be fetched, and builds have no network here. ` +
      `Send ${vendoring} along with the code; or have the server started with RUNLET_BUILD_HOSTS=${host}; ` +
      `or deploy with dependencies as-is if the code runs without them`,
  );
}

function tooLarge(maxBytes: number): RunletError {
  return new RunletError(
    "payload_too_large",
    `What was installed has more than ${maxBytes} bytes (RUNLET_BUILD_MAX_BYTES) or ${maxFiles} files`,
  );
}
