import { Command, Option } from "commander";
import type { PageAfter } from "../../client/methods.ts";
import type { Webhook } from "../../schema/webhook.ts";
import { clientOf, exampleText, type ServerOptions, withServer } from "../options.ts";
import { type Columns, printDone } from "../output.ts";
import { printPage, queryOf, withPageAfter, withPageBefore } from "../page.ts";
import { removalCommand, showCommand } from "../single.ts";
import { eventColumns } from "./events.ts";

interface SetOptions extends ServerOptions {
  to: string;
  secret: string;
  event?: Webhook["events"];
}

const setExample =
  "runlet webhook set billing --to https://example.org/sandboxes --secret callback-key";
const takes = { name: "the webhook" };
/** The schema's own list would load a library for schemas into every command. */
const eventTypes = Object.keys({
  created: true,
  changed: true,
  paused: true,
  resumed: true,
  ended: true,
} satisfies Record<Webhook["events"][number], true>);

/** `runlet webhook`. */
export function webhookCommand(): Command {
  return new Command("webhook")
    .alias("webhooks")
    .description("URLs that are told of what happens to sandboxes")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(setCommand())
    .addCommand(
      showCommand({
        description: "show a webhook as JSON",
        example: "runlet webhook show billing",
        takes,
        show: async (client, name) => await client.webhook(name),
      }),
    )
    .addCommand(deliveriesCommand())
    .addCommand(
      removalCommand({
        description: "delete a webhook with what waits to be delivered to it",
        example: "runlet webhook rm billing",
        takes,
        remove: async (client, _change, name) => await client.removeWebhook(name),
      }),
    )
    .addHelpText("after", exampleText([setExample]));
}

function listCommand(): Command {
  return withPageAfter(withServer(new Command("ls"), ["runlet webhook ls --json"]))
    .description("list webhooks (also without a subcommand)")
    .action(async (options: ServerOptions & PageAfter) => {
      const page = await clientOf(options).webhooks(queryOf(options));
      const none = `No webhooks yet. Make one with: ${setExample}`;
      printPage(page, options, { columns, none, cursor: "--after" });
    });
}

const columns: Columns<Webhook> = {
  NAME: ({ name }) => name,
  URL: ({ url }) => url,
  SECRET: ({ secret }) => secret,
  EVENTS: ({ events }) => events.join(" "),
};

function setCommand(): Command {
  const types = new Option("--event <type...>", "what it is told of (default: everything)");
  return withServer(new Command("set"), [setExample])
    .description("have a URL told of what happens to sandboxes from now on, or change that")
    .argument("<name>", takes.name)
    .requiredOption("--to <url>", "where it is posted")
    .requiredOption("--secret <name>", "the secret that signs what is sent")
    .addOption(types.choices(eventTypes))
    .action(async (name: string, { to, secret, event, ...options }: SetOptions) => {
      const spec = { url: to, secret, ...(event !== undefined && { events: event }) };
      const made = await clientOf(options).putWebhook(name, spec);
      printDone(options, made, `${name} is told of: ${made.events.join(", ")}`);
    });
}

function deliveriesCommand(): Command {
  const command = withServer(new Command("deliveries"), ["runlet webhook deliveries billing"])
    .description("list what is and was sent to a webhook, newest first")
    .argument("<name>", takes.name);
  return withPageBefore(command, "delivery").action(
    async (name: string, options: ServerOptions & { limit: number; before?: string }) => {
      const page = await clientOf(options).webhookDeliveries(name, queryOf(options));
      const none = "Nothing was sent yet.";
      printPage(page, options, { columns: eventColumns, none, cursor: "--before" });
    },
  );
}
