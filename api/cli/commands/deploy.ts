import { type Command, InvalidArgumentError, Option } from "commander";
import type { Destination } from "../../schema/destination.ts";
import type { FunctionSpecInput } from "../../schema/function.ts";
import { deployment } from "../deployment.ts";
import {
  clientOf,
  given,
  type LimitOptions,
  limitsOf,
  positiveNumber,
  type ServerOptions,
  withLimits,
  wholeNumber,
  withServer,
} from "../options.ts";
import { printJson } from "../output.ts";
import { withRevision } from "../single.ts";
import { TrailingCommand } from "../trailing-command.ts";

interface DeployOptions extends ServerOptions, LimitOptions {
  name?: string;
  runtime?: FunctionSpecInput["runtime"];
  handler?: string;
  secret?: Record<string, string>;
  isolation?: "fresh" | "reuse";
  keepAliveMs?: number;
  idleTimeoutMs?: number;
  concurrency?: number;
  queueLimit?: number;
  maxAttempts?: number;
  onSuccess?: string;
  onFailure?: string;
  callbackSecret?: string;
  rateLimit?: number;
  provisioned?: number;
  public?: boolean;
  corsOrigin?: string[];
  dependencies?: FunctionSpecInput["dependencies"];
  check: boolean;
  ifMatch?: string;
}

const examples = [
  "runlet deploy hello.mjs",
  "runlet deploy ./my-function    # what its runlet.json says, where it has one",
  "runlet deploy ./my-function --name greet --env STAGE=test --timeout-ms 5000",
  "runlet deploy report.zip",
  "runlet deploy report.tar.gz",
  "runlet deploy --name upper -- tr a-z A-Z",
  "runlet deploy site.mjs --public",
  "runlet deploy work.mjs --on-success tell --on-failure https://example.org/failed --callback-secret callback-key",
  "runlet deploy ./tools --name report -- bash report.sh --short",
  "runlet deploy ./bootstrap --runtime provided --name native",
];

const destinations = "a function, an alias as name:alias, or a URL with --callback-secret";

/** `runlet deploy`. */
export function deployCommand(): TrailingCommand {
  const command = new TrailingCommand("deploy")
    .description(
      "deploy a file, a directory or an archive of one as a function, or a command after --",
    )
    .usage("[options] [path] [-- command...]")
    .argument(
      "[path]",
      "a file, a directory, a zip or a tar; without one, the command is one of the image",
    )
    .option("--name <name>", "name of the function; from the path by default")
    .addOption(
      new Option("--runtime <runtime>", "guessed from the code by default").choices([
        "node",
        "python",
        "command",
        "provided",
      ]),
    )
    .option("--handler <file.export>", "what to call; found by convention by default")
    .addOption(
      new Option(
        "--isolation <kind>",
        "fresh: a new container each time; reuse: kept for the next event (default: fresh)",
      ).choices(["fresh", "reuse"]),
    )
    .option("--secret <NAME=secret>", "environment variable from a secret, repeatable", secretEntry)
    .option("--keep-alive-ms <n>", "with reuse, how long an idle container is kept", wholeNumber)
    .option("--idle-timeout-ms <n>", "how long a streamed answer may pause", wholeNumber)
    .option("--concurrency <n>", "how many invocations may run at once", wholeNumber)
    .option("--queue-limit <n>", "how many invocations may wait for room", wholeNumber)
    .option("--max-attempts <n>", "how often an event that nobody waits for is tried", wholeNumber)
    .option("--on-success <where>", `who gets what an event was answered: ${destinations}`)
    .option("--on-failure <where>", "who gets why an event was given up: likewise")
    .option("--callback-secret <name>", "the secret that signs what such a URL is sent")
    .option("--rate-limit <n>", "how many calls a second one caller may make", positiveNumber)
    .option("--provisioned <n>", "how many containers are kept started", wholeNumber)
    .option("--public", "let anybody who reaches the server call it at its URL, see `runlet url`")
    .option("--cors-origin <origin...>", "pages that may call it from a browser, or *")
    .addOption(
      new Option(
        "--dependencies <how>",
        "packages that the code names but does not bring along",
      ).choices(["install", "install-with-scripts", "as-is"]),
    )
    .option("--no-check", "do not load the code before it counts; the next invocation tells");
  return withRevision(withServer(withLimits(command), examples)).action(
    async (path: string | undefined, options: DeployOptions) => {
      const { runtime, handler, isolation } = options;
      const { keepAliveMs, idleTimeoutMs, concurrency, queueLimit, provisioned } = options;
      if (path === undefined && !command.trailing?.length) {
        command.error("expected a file or a directory, or a command after --");
      }
      const told = destinationsOf(command, options);
      const words = { path, command: command.trailing, name: options.name, runtime };
      const { name, spec } = await deployment(words);
      const chosen = given({
        handler,
        isolation,
        keepAliveMs,
        idleTimeoutMs,
        concurrency,
        queueLimit,
        async: { ...spec.async, ...told, ...given({ maxAttempts: options.maxAttempts }) },
        ...(options.rateLimit !== undefined && { rateLimit: { perSecond: options.rateLimit } }),
        provisioned,
        dependencies: options.dependencies,
        http: httpOf(options, spec.http),
      });
      const env = { ...spec.env, ...options.env };
      const secrets = { ...spec.secrets, ...options.secret };
      const { version, created } = await clientOf(options).deploy(
        name,
        { ...spec, ...chosen, ...limitsOf(options), env, secrets },
        { check: options.check, ifMatch: options.ifMatch },
      );
      if (options.json) return printJson({ ...version, created });
      const what = `${version.name} version ${version.version} (${version.runtime})`;
      if (version.build !== undefined) {
        const { invocationId, isCached } = version.build;
        const how = isCached ? "Dependencies as installed before" : "Installed dependencies";
        process.stdout.write(`${how}: runlet logs ${invocationId}\n`);
      }
      process.stdout.write(created ? `Deployed ${what}\n` : `Nothing changed: ${what}\n`);
      if (process.stdout.isTTY) process.stdout.write(`Next: runlet invoke ${version.name} '{}'\n`);
    },
  );
}

/** Collects `NAME=secret` options into a record. */
function secretEntry(text: string, previous: Record<string, string> = {}): Record<string, string> {
  const [, variable, name] = /^([A-Za-z_]\w*)=(.+)$/.exec(text) ?? [];
  if (variable === undefined || name === undefined) {
    throw new InvalidArgumentError("Expected NAME=secret.");
  }
  return { ...previous, [variable]: name };
}

/** Who is told of the end of an event, as far as it was said. */
function destinationsOf(
  command: Command,
  { onSuccess, onFailure, callbackSecret: secret }: DeployOptions,
): { onSuccess?: Destination; onFailure?: Destination } {
  const isTold = [onSuccess, onFailure].some((where) => where?.includes("://"));
  if (isTold !== (secret !== undefined)) {
    command.error("expected --callback-secret together with a URL as --on-success or --on-failure");
  }
  const destinationOf = (where?: string): Destination | undefined => {
    if (where === undefined) return undefined;
    return secret !== undefined && where.includes("://")
      ? { url: where, secret }
      : { function: where };
  };
  return given({ onSuccess: destinationOf(onSuccess), onFailure: destinationOf(onFailure) });
}

/** How the function may be called at its URL, where anything was said of that; the rest is as `own` has it. */
function httpOf(
  { public: isPublic, corsOrigin: origins }: DeployOptions,
  own: FunctionSpecInput["http"] = {},
): FunctionSpecInput["http"] {
  if (isPublic === undefined && origins === undefined) return undefined;
  return { ...own, ...given({ public: isPublic }), ...(origins && { cors: { origins } }) };
}
