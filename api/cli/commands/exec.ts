import type { CommandSpecInput } from "../../schema/sandbox-command.ts";
import { exitCodeOfCommand, printFollowed } from "../followed-command.ts";
import { Foreground } from "../foreground.ts";
import {
  clientOf,
  environmentEntry,
  given,
  type ServerOptions,
  wholeNumber,
  withServer,
} from "../options.ts";
import { printDone } from "../output.ts";
import { TrailingCommand } from "../trailing-command.ts";

interface ExecOptions extends ServerOptions {
  detach?: boolean;
  stdin: boolean;
  env?: Record<string, string>;
  cwd?: string;
  user?: string;
  tag?: string;
  timeoutMs?: number;
}

const examples = [
  "runlet exec ID -- python3 -c 'print(6 * 7)'",
  "runlet exec ID --cwd src -- sh -c 'make && make test'",
  "tar -c . | runlet exec ID -- tar -x -C /tmp",
  "runlet exec ID --detach -- python3 -m http.server 8000",
];

/** `runlet exec`. */
export function execCommand(): TrailingCommand {
  const command = new TrailingCommand("exec")
    .description("run a command in a sandbox; exits with its exit code")
    .usage("[options] <id> -- <command...>")
    .argument("<id>", "the sandbox")
    .option("-d, --detach", "leave it running and print its id, for `runlet sandbox logs`")
    .option("-n, --no-stdin", "do not pass standard input on to it")
    .option("-e, --env <NAME=value>", "environment variable, repeatable", environmentEntry)
    .option("--cwd <path>", "directory to run in (default: the sandbox's)")
    .option("-u, --user <user>", "account to run as (default: the sandbox's)")
    .option("--tag <tag>", "a name to find it by")
    .option("--timeout-ms <n>", "kill it after this time, and not the sandbox", wholeNumber);
  return withServer(command, examples).action(async (id: string, options: ExecOptions) => {
    if (!command.trailing?.length) command.error("expected a command after --");
    const { env, cwd, user, tag, timeoutMs, stdin, detach } = options;
    const args = [...(command.trailing ?? [])];
    const spec = { args, ...given({ env, cwd, user, tag, timeoutMs }) };
    if (!detach) return await attend(id, { ...spec, hasStdin: stdin }, options);
    const started = await clientOf(options).startCommand(id, spec);
    printDone(options, started, started.id);
  });
}

/** Runs a command as if it ran here. */
async function attend(
  id: string,
  spec: CommandSpecInput,
  { json, ...options }: ExecOptions,
): Promise<void> {
  const box = clientOf(options).sandboxes.of(id);
  const failure = new AbortController();
  const events = box.commands.stream(
    { ...spec, killOnDisconnect: true },
    { signal: failure.signal },
  );
  using stack = new DisposableStack();
  const ended = await printFollowed(events, {
    json,
    onStart: (started) => {
      const { stdin } = options;
      stack.use(new Foreground(box, started.id, { stdin, failure }));
    },
  });
  process.exitCode = exitCodeOfCommand(ended);
  if (json) return;
  if (ended.reason === "timeout") process.stderr.write("[timed out: raise it with --timeout-ms]\n");
  else if (ended.signal !== undefined) process.stderr.write(`[killed by ${ended.signal}]\n`);
}
