import { Command } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { exitCodeOf, reportError, throwCommandLineErrors } from "./errors.ts";

/** Each command under its name. What is asked for is loaded alone, in two thirds of the time. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./commands/serve.ts")).serveCommand(),
  config: async () => (await import("./commands/config.ts")).configCommand(),
  backup: async () => (await import("./commands/backup.ts")).backupCommand(),
  restore: async () => (await import("./commands/backup.ts")).restoreCommand(),
  init: async () => (await import("./commands/init.ts")).initCommand(),
  dev: async () => (await import("./commands/dev.ts")).devCommand(),
  deploy: async () => (await import("./commands/deploy.ts")).deployCommand(),
  invoke: async () => (await import("./commands/invoke.ts")).invokeCommand(),
  url: async () => (await import("./commands/url.ts")).urlCommand(),
  run: async () => (await import("./commands/run.ts")).runCommand(),
  functions: async () => (await import("./commands/functions.ts")).functionsCommand(),
  versions: async () => (await import("./commands/versions.ts")).versionsCommand(),
  alias: async () => (await import("./commands/alias.ts")).aliasCommand(),
  rollback: async () => (await import("./commands/rollback.ts")).rollbackCommand(),
  concurrency: async () => (await import("./commands/concurrency.ts")).concurrencyCommand(),
  invocations: async () => (await import("./commands/invocations.ts")).invocationsCommand(),
  logs: async () => (await import("./commands/logs.ts")).logsCommand(),
  stats: async () => (await import("./commands/stats.ts")).statsCommand(),
  top: async () => (await import("./commands/top.ts")).topCommand(),
  events: async () => (await import("./commands/events.ts")).eventsCommand(),
  "dead-letters": async () => (await import("./commands/dead-letters.ts")).deadLettersCommand(),
  secrets: async () => (await import("./commands/secrets.ts")).secretsCommand(),
  key: async () => (await import("./commands/key.ts")).keyCommand(),
  schedule: async () => (await import("./commands/schedule.ts")).scheduleCommand(),
  sandbox: async () => (await import("./commands/sandbox.ts")).sandboxCommand(),
  exec: async () => (await import("./commands/exec.ts")).execCommand(),
  shell: async () => (await import("./commands/shell.ts")).shellCommand(),
  cp: async () => (await import("./commands/cp.ts")).cpCommand(),
  forward: async () => (await import("./commands/forward.ts")).forwardCommand(),
  snapshot: async () => (await import("./commands/snapshot.ts")).snapshotCommand(),
  webhook: async () => (await import("./commands/webhook.ts")).webhookCommand(),
  image: async () => (await import("./commands/image.ts")).imageCommand(),
  mcp: async () => (await import("./commands/mcp.ts")).mcpCommand(),
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand(),
};

const program = new Command("runlet")
  .description("Run functions and untrusted code, each in its own gVisor container.")
  .version(packageJson.version)
  .enablePositionalOptions()
  .addHelpText(
    "after",
    `
Exit codes:
  0 done; 1 failed or refused; 2 wrong command line; 3 no server.
  \`run\`, \`exec\` and \`shell\` have the program's own, 128 + n for signal n, 124 for a timeout, 125 if it could not run.

With --json, the answer on standard output is JSON, and so is an error on standard error.
Start: \`runlet serve\`, then \`runlet init hello\` and \`runlet dev hello\`.`,
  );

const all = Object.entries(commands);
const asked = all.filter(([name]) => name === process.argv[2]);
const loading = (asked.length > 0 ? asked : all).map(async ([, load]) => await load());
for (const command of await Promise.all(loading)) program.addCommand(command);

let active = program;
program.hook("preAction", (_program, command) => {
  active = command;
});
throwCommandLineErrors(program);
process.stdout.on("error", endQuietlyWithoutReader);

try {
  await program.parseAsync();
} catch (error) {
  reportError(error, { isJson: active.opts()["json"] === true });
  process.exitCode = exitCodeOf(error, active);
}

/** A reader such as `head` has what it wanted. */
function endQuietlyWithoutReader(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
  process.exit();
}
