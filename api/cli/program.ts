import { Command } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { aliasCommand } from "./commands/alias.ts";
import { backupCommand, restoreCommand } from "./commands/backup.ts";
import { concurrencyCommand } from "./commands/concurrency.ts";
import { configCommand } from "./commands/config.ts";
import { cpCommand } from "./commands/cp.ts";
import { deadLettersCommand } from "./commands/dead-letters.ts";
import { deployCommand } from "./commands/deploy.ts";
import { devCommand } from "./commands/dev.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { eventsCommand } from "./commands/events.ts";
import { execCommand } from "./commands/exec.ts";
import { forwardCommand } from "./commands/forward.ts";
import { functionsCommand } from "./commands/functions.ts";
import { imageCommand } from "./commands/image.ts";
import { initCommand } from "./commands/init.ts";
import { invocationsCommand } from "./commands/invocations.ts";
import { invokeCommand } from "./commands/invoke.ts";
import { keyCommand } from "./commands/key.ts";
import { logsCommand } from "./commands/logs.ts";
import { mcpCommand } from "./commands/mcp.ts";
import { rollbackCommand } from "./commands/rollback.ts";
import { runCommand } from "./commands/run.ts";
import { sandboxCommand } from "./commands/sandbox.ts";
import { secretsCommand } from "./commands/secrets.ts";
import { scheduleCommand } from "./commands/schedule.ts";
import { serveCommand } from "./commands/serve.ts";
import { shellCommand } from "./commands/shell.ts";
import { snapshotCommand } from "./commands/snapshot.ts";
import { statsCommand } from "./commands/stats.ts";
import { topCommand } from "./commands/top.ts";
import { urlCommand } from "./commands/url.ts";
import { webhookCommand } from "./commands/webhook.ts";
import { versionsCommand } from "./commands/versions.ts";
import { exitCodeOf, reportError, throwCommandLineErrors } from "./errors.ts";

const program = new Command("runlet")
  .description("Run functions and untrusted code, each in its own gVisor container.")
  .version(packageJson.version)
  .enablePositionalOptions()
  .addCommand(serveCommand())
  .addCommand(configCommand())
  .addCommand(backupCommand())
  .addCommand(restoreCommand())
  .addCommand(initCommand())
  .addCommand(devCommand())
  .addCommand(deployCommand())
  .addCommand(invokeCommand())
  .addCommand(urlCommand())
  .addCommand(runCommand())
  .addCommand(functionsCommand())
  .addCommand(versionsCommand())
  .addCommand(aliasCommand())
  .addCommand(rollbackCommand())
  .addCommand(concurrencyCommand())
  .addCommand(invocationsCommand())
  .addCommand(logsCommand())
  .addCommand(statsCommand())
  .addCommand(topCommand())
  .addCommand(eventsCommand())
  .addCommand(deadLettersCommand())
  .addCommand(secretsCommand())
  .addCommand(keyCommand())
  .addCommand(scheduleCommand())
  .addCommand(sandboxCommand())
  .addCommand(execCommand())
  .addCommand(shellCommand())
  .addCommand(cpCommand())
  .addCommand(forwardCommand())
  .addCommand(snapshotCommand())
  .addCommand(webhookCommand())
  .addCommand(imageCommand())
  .addCommand(mcpCommand())
  .addCommand(doctorCommand())
  .addHelpText(
    "after",
    `
Exit codes:
  0 done; 1 failed or refused; 2 wrong command line; 3 no server.
  \`run\`, \`exec\` and \`shell\` have the program's own, 128 + n for signal n, 124 for a timeout, 125 if it could not run.

With --json, the answer on standard output is JSON, and so is an error on standard error.
Start: \`runlet serve\`, then \`runlet init hello\` and \`runlet dev hello\`.`,
  );

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
