import { Command } from "commander";
import type { SnapshotQuery, SnapshotView } from "../../schema/snapshot.ts";
import { moment, size } from "../format.ts";
import { clientOf, exampleText, type ServerOptions, withServer } from "../options.ts";
import type { Columns } from "../output.ts";
import { printPage, queryOf, withPageBefore } from "../page.ts";
import { removalCommand, showCommand } from "../single.ts";

const example = "019a3c20-1d4e-7f5a-9b6c-7d8e9f0a1b2c";

/** `runlet snapshot`. */
export function snapshotCommand(): Command {
  return new Command("snapshot")
    .alias("snapshots")
    .description("list, show and delete what was saved of sandboxes")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(
      showCommand({
        description: "show a snapshot as JSON",
        example: `runlet snapshot show ${example}`,
        takes: { id: "the snapshot" },
        show: async (client, id) => await client.getSnapshot(id),
      }),
    )
    .addCommand(
      removalCommand({
        description: "delete a snapshot; sandboxes that went on from it stay",
        example: `runlet snapshot rm ${example}`,
        takes: { id: "the snapshot" },
        remove: async (client, _change, id) => await client.removeSnapshot(id),
      }),
    )
    .addHelpText("after", exampleText(["runlet sandbox snapshot ID", "runlet snapshot"]));
}

function listCommand(): Command {
  const command = withServer(new Command("ls"), ["runlet snapshot ls --name installed"])
    .description("list snapshots, the newest first (also without a subcommand)")
    .option("--sandbox <id>", "only of this sandbox")
    .option("--name <name>", "only of this name");
  return withPageBefore(command, "snapshot").action(
    async (options: ServerOptions & SnapshotQuery) => {
      const page = await clientOf(options).snapshots(queryOf(options));
      printPage(page, options, { columns, none: "No such snapshots.", cursor: "--before" });
    },
  );
}

const columns: Columns<SnapshotView> = {
  ID: ({ id }) => id,
  NAME: ({ name = "-" }) => name,
  STATE: ({ state }) => state,
  IMAGE: ({ image }) => image,
  SIZE: ({ sizeBytes }) => size(sizeBytes),
  CREATED: ({ createdAtUs }) => moment(createdAtUs),
};
