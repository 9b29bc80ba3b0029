import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { execa } from "execa";
import type { Exit } from "../../../runtime/container/exit.ts";
import { within } from "../../../runtime/deadline.ts";
import { tempDir } from "../../support/temp-dir.ts";

/** What the process in the namespace of the made-up host is asked for; see test/fixtures/network-host.ts. */
export type HostRequest =
  | { verb: "create"; id: string; allow: readonly string[] }
  | {
      verb: "run";
      id: string;
      args: readonly string[];
      image?: string;
      launch?: "attached" | "detached" | "console";
    }
  | { verb: "dispose"; id: string }
  | { verb: "close" };

export interface NetworkFacts {
  readonly guestAddress: string;
  readonly namespacePath: string;
}

export interface RunOutcome extends Pick<Exit, "code" | "reason"> {
  readonly stdout: string;
  readonly stderr: string;
}

interface Answer {
  number: number;
  value?: unknown;
  error?: { code: string | undefined; message: string };
}

const fixtures = join(import.meta.dirname, "../../fixtures");
const timeoutMs = 60_000;

/** Where the made-up host is on the made-up Internet, and the addresses that its servers are at. */
export const hostAddress = "11.22.33.2";
const gateway = "11.22.33.1";
const servers = [
  "11.22.44.10",
  "11.22.44.11",
  "11.22.44.12",
  "11.22.44.13",
  "11.22.44.53",
  "203.0.113.5",
  "198.51.100.5",
  "10.9.8.7",
  "10.20.30.40",
  "169.254.169.254",
];

/**
 * A host and an Internet in network namespaces of their own, with no way out of them: what a test reaches for
 * is never on any real network. Disposing it removes both with all that is in them.
 */
export class Rig implements AsyncDisposable {
  readonly host: string;
  /** Where what runs on the host has its directories. */
  readonly directory: string;
  readonly #stack: AsyncDisposableStack;
  readonly #stateDir: string;
  #child: ChildProcess | undefined;
  /** Aborted when the process is killed, so that nobody waits for its answers. */
  #life = new AbortController();
  #count = 0;

  private constructor(host: string, directory: string, stack: AsyncDisposableStack) {
    this.host = host;
    this.directory = directory;
    this.#stateDir = join(directory, "s");
    this.#stack = stack;
  }

  static async open(): Promise<Rig> {
    await using stack = new AsyncDisposableStack();
    const dir = stack.use(await tempDir());
    const name = dir.path.slice(1).replaceAll("/", "-");
    const [host, internet] = [`${name}.host`, `${name}.internet`];
    for (const each of [host, internet]) {
      await ip("netns", "add", each);
      stack.defer(async () => await ip("netns", "delete", each));
    }
    await batch(host, [
      "link set lo up",
      `link add wan0 type veth peer name wan0 netns ${internet}`,
      `address add ${hostAddress}/24 dev wan0`,
      "link set wan0 up",
    ]);
    await batch(internet, [
      "link set lo up",
      `address add ${gateway}/24 dev wan0`,
      "link set wan0 up",
      ...servers.map((address) => `address add ${address}/32 dev lo`),
    ]);
    await batch(host, [`route add default via ${gateway}`]);
    const rig = new Rig(host, dir.path, stack.move());
    await rig.forward(true);
    await rig.#serve(internet);
    return rig;
  }

  /** Starts the process of the host, where none runs. */
  async start(range = ""): Promise<void> {
    const child = fork(join(fixtures, "network-host.ts"), [this.#stateDir, range], {
      execPath: "nsenter",
      execArgv: [`--net=/run/netns/${this.host}`, process.execPath],
    });
    this.#child = child;
    this.#life = new AbortController();
    await within(once(child, "message"), "start the host", timeoutMs);
  }

  /** Ends it at once, with no chance to clear up. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    this.#life.abort();
    await exited;
  }

  async create(id: string, allow: readonly string[]): Promise<NetworkFacts> {
    return (await this.ask({ verb: "create", id, allow })) as NetworkFacts;
  }

  /** Runs a program in a container that is in the network. */
  async run(
    id: string,
    args: readonly string[],
    options: Pick<Extract<HostRequest, { verb: "run" }>, "image" | "launch"> = {},
  ): Promise<RunOutcome> {
    return (await this.ask({ verb: "run", id, args, ...options })) as RunOutcome;
  }

  async dispose(id: string): Promise<void> {
    await this.ask({ verb: "dispose", id });
  }

  /** Closes the machine and ends the process. */
  async close(): Promise<void> {
    await this.ask({ verb: "close" });
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const exited = once(child, "exit");
    child.disconnect();
    await exited;
  }

  /** @throws an error with the `code` and the message of the one that was thrown there. */
  async ask(request: HostRequest): Promise<unknown> {
    const child = this.#child;
    if (child === undefined) throw new Error("The host has no process");
    const number = ++this.#count;
    const answered = Promise.withResolvers<Answer>();
    const listener = (answer: Answer): void => {
      if (answer.number === number) answered.resolve(answer);
    };
    child.on("message", listener);
    try {
      child.send({ number, ...request });
      const { value, error } = await within(
        answered.promise,
        request.verb,
        timeoutMs,
        this.#life.signal,
      );
      if (error !== undefined) throw Object.assign(new Error(error.message), { code: error.code });
      return value;
    } finally {
      child.off("message", listener);
    }
  }

  /** Runs a program in the namespace of the host, or in another by its path. */
  async inside(
    args: readonly string[],
    { path = `/run/netns/${this.host}`, input = "" } = {},
  ): Promise<string> {
    const command = [`--net=${path}`, ...args];
    const { stdout } = await execa("nsenter", command, { input, timeout: timeoutMs });
    return stdout;
  }

  async forward(isOn: boolean): Promise<void> {
    await this.inside(["tee", "/proc/sys/net/ipv4/ip_forward"], { input: isOn ? "1" : "0" });
  }

  /** What of the product is there: links and namespaces by name, and the rules of the host. */
  async leftovers(): Promise<{ links: string[]; namespaces: string[]; rules: string }> {
    const links = await this.inside(["ip", "-o", "link"]);
    const namespaces = await this.inside(["ls", "/run/netns"]);
    const own = this.#stateDir.slice(1).replaceAll("/", "-");
    return {
      links: links.split("\n").filter((line) => /^\d+: rl/.test(line)),
      namespaces: namespaces.split("\n").filter((name) => name.includes(own)),
      rules: await this.inside(["nft", "list", "ruleset"]),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _stack = this.#stack;
    if (this.#child?.connected === true) await this.close();
    await this.kill();
  }

  async #serve(internet: string): Promise<void> {
    const child = spawn(
      "nsenter",
      [`--net=/run/netns/${internet}`, process.execPath, join(fixtures, "internet.ts")],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    this.#stack.defer(async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    });
    await within(once(child.stdout, "data"), "start the Internet", timeoutMs);
  }
}

async function ip(...args: readonly string[]): Promise<void> {
  await execa("ip", args, { timeout: timeoutMs });
}

async function batch(namespace: string, lines: readonly string[]): Promise<void> {
  await execa("ip", ["-netns", namespace, "-batch", "-"], { input: lines.join("\n") });
}
