import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { type ProgramOptions, type ProgramResult, runProgram } from "../container/program.ts";
import type { OutputListener } from "../container/stdio/capture.ts";
import type { Image } from "../image/image.ts";
import type { Machine } from "../machine.ts";
import type { SpecOption } from "../oci/spec.ts";
import { compose, withReadOnlyBind, withTmpfs } from "../oci/spec-options.ts";
import { type FoundManager, findManager, type PackageManager } from "./package-managers.ts";
import { openRegistryProxy, proxySocket } from "./registry-proxy.ts";

export interface InstallerOptions {
  machine: Machine;
  /** Directory for the sockets of proxies. */
  sockets: string;
  /** The hosts that packages may be fetched from; none means that builds have no network. */
  hosts: readonly string[];
  /** Where packages are looked for, where that is not the manager's own default. */
  registries: Readonly<Partial<Record<PackageManager, string>>>;
  timeoutMs: number;
  memoryBytes: number;
  /** Bound on what is installed. */
  maxBytes: number;
}

/** What is to be installed. */
export interface InstallRequest {
  readonly manager: PackageManager;
  readonly image: Image;
  /** Whether the packages' own programs run while they are installed. */
  readonly runsScripts: boolean;
  /** Whether the exact packages are named by a lock file. */
  readonly isLocked: boolean;
  /** A directory of the code with the packages, where they were sent along. */
  readonly packages?: string | undefined;
}

/** A request with all that it depends on. */
export interface Installation extends InstallRequest {
  readonly found: FoundManager;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Equal for what installs the same from the same files. */
  readonly identity: string;
}

/** Who is told of an installation as it runs, and what ends it. */
export interface InstallListeners {
  readonly onOutput: OutputListener;
  readonly onContainer: (containerId: string) => void;
  readonly signal: AbortSignal;
}

/** Where the packages of a manager stand in the code. */
export const packageDirectories: Readonly<Record<PackageManager, string>> = {
  npm: "node_modules",
  pip: "python_packages",
};

const mebibyte = 1024 * 1024;
const logBytes = mebibyte;
/** What a tar says of each file, for as many as code may have. */
const tarBytes = 20_000 * 1536;
/** One core is left to those who are served meanwhile: busy scripts on all cores have stopped a server for seconds. */
const buildCpus = Math.max(1, Math.min(2, availableParallelism() - 1));
const toolDirectory = "/run/build";
const certificates = "/etc/ssl/certs/ca-certificates.crt";

const relays: Readonly<Record<PackageManager, string>> = {
  npm: fileURLToPath(new URL("relay.mjs", import.meta.url)),
  pip: fileURLToPath(new URL("relay.py", import.meta.url)),
};
const interpreters: Readonly<Record<PackageManager, string>> = { npm: "node", pip: "python3" };

// What the manager writes is the log, and standard output is the result alone.
const script = `set -e
cp -R /var/task /tmp/build
chmod -R u+w /tmp/build
cd /tmp/build
[ ! -f "$CERTIFICATES" ] || export NODE_EXTRA_CA_CERTS="$CERTIFICATES" PIP_CERT="$CERTIFICATES"
"$@" >&2
mkdir -p "$RESULT"
[ "$RESULT" = node_modules ] || python3 -m compileall -q --invalidation-mode unchecked-hash "$RESULT" >&2 || true
exec tar -cf - "$RESULT"`;

/** Installs the packages that code depends on, each time in a container of its own. */
export class Installer {
  readonly #options: InstallerOptions;

  constructor(options: InstallerOptions) {
    this.#options = options;
  }

  /** Whether packages can be fetched. */
  get hasNetwork(): boolean {
    return this.#options.hosts.length > 0;
  }

  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }

  get maxBytes(): number {
    return this.#options.maxBytes;
  }

  /** Finds what an installation is made with. @throws `unavailable` if the host has no such package manager. */
  async plan(request: InstallRequest, signal: AbortSignal): Promise<Installation> {
    const { manager, image } = request;
    const found = await findManager(manager, signal);
    const registry = this.#options.registries[manager];
    const args = manager === "npm" ? npmArgs(request) : pipArgs(request);
    const env = {
      RESULT: packageDirectories[manager],
      CERTIFICATES: certificates,
      PIP_DISABLE_PIP_VERSION_CHECK: "1",
      npm_config_update_notifier: "false",
      ...(manager === "npm" && !this.hasNetwork && { npm_config_offline: "true" }),
      ...(registry !== undefined && { npm_config_registry: registry, PIP_INDEX_URL: registry }),
    };
    const facts = [script, args, env, found.version, image.digest];
    const identity = createHash("sha256").update(JSON.stringify(facts)).digest("hex");
    return { ...request, found, args, env, identity };
  }

  /** Installs what the code in `task` asks for; standard output is a tar of the packages, standard error the log. */
  async run(
    installation: Installation,
    task: string,
    { signal, onOutput, onContainer }: InstallListeners,
  ): Promise<ProgramResult> {
    const { machine, sockets, hosts, memoryBytes, maxBytes, timeoutMs } = this.#options;
    const { manager, image, found, env, packages } = installation;
    const isOnline = hosts.length > 0 && packages === undefined;
    await using proxy = isOnline ? await openRegistryProxy(sockets, hosts) : undefined;
    const tools: SpecOption[] = [
      withTmpfs("/run", mebibyte, "755"),
      withReadOnlyBind(found.directory, `${toolDirectory}/${manager}`),
    ];
    let { args } = installation;
    if (proxy !== undefined) {
      const relay = `${toolDirectory}/${basename(relays[manager])}`;
      tools.push(withReadOnlyBind(relays[manager], relay));
      tools.push(withReadOnlyBind(proxy.directory, `${toolDirectory}/net`));
      const socket = `${toolDirectory}/net/${proxySocket}`;
      args = [interpreters[manager], relay, socket, ...args];
    }
    const installedBytes = maxBytes + tarBytes;
    const overfull = new AbortController();
    let writtenBytes = 0;
    const options: ProgramOptions = {
      image,
      args: ["sh", "-c", script, "build", ...args],
      env,
      task,
      mounts: [compose(...tools)],
      hasHostSockets: isOnline,
      memoryBytes,
      tmpBytes: Math.floor(memoryBytes * 0.75),
      cpus: buildCpus,
      pids: 256,
      stdin: new Uint8Array(),
      timeoutMs,
      outputBytes: logBytes,
      stdoutBytes: installedBytes,
      onOutput: (stream, chunk) => {
        if (stream === "stderr") return onOutput(stream, chunk);
        writtenBytes += chunk.byteLength;
        // Nothing that comes after it could make it less.
        if (writtenBytes > installedBytes) overfull.abort();
      },
      onContainer,
      signal: AbortSignal.any([signal, overfull.signal]),
    };
    return await runProgram(machine, options);
  }
}

function npmArgs({ isLocked, runsScripts }: InstallRequest): string[] {
  const program = ["node", `${toolDirectory}/npm/bin/npm-cli.js`];
  const flags = ["--omit=dev", "--no-audit", "--no-fund", "--loglevel=http"];
  return [
    ...program,
    isLocked ? "ci" : "install",
    ...flags,
    ...(runsScripts ? ["--foreground-scripts"] : ["--ignore-scripts"]),
  ];
}

function pipArgs({ packages, runsScripts }: InstallRequest): string[] {
  const program = ["python3", `${toolDirectory}/pip`, "install"];
  const place = [
    "--target",
    packageDirectories.pip,
    "--no-compile",
    "--no-cache-dir",
    "--no-input",
  ];
  return [
    ...program,
    ...place,
    ...(runsScripts ? [] : ["--only-binary=:all:"]),
    ...(packages === undefined ? [] : ["--no-index", "--find-links", packages]),
    "-r",
    "requirements.txt",
  ];
}
