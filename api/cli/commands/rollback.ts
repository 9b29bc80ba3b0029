import { Command } from "commander";
import type { Client } from "../../client/client.ts";
import type { Alias } from "../../schema/alias.ts";
import { clientOf, type ServerOptions, withServer } from "../options.ts";
import { tellAlias } from "./alias.ts";

/** `runlet rollback`. */
export function rollbackCommand(): Command {
  return withServer(new Command("rollback"), ["runlet rollback hello live"])
    .description("send all calls of an alias to the version before; ends the share of a second one")
    .argument("<name>", "the function")
    .argument("<alias>", "the alias")
    .action(async (name: string, alias: string, options: ServerOptions) => {
      const client = clientOf(options);
      const present = await client.getAlias(name, alias);
      const { description, revisionId } = present;
      // Where a second version gets a share, the alias's own is the one before.
      const version =
        present.second === undefined ? await before(present, client) : present.version;
      const target = { version, description };
      tellAlias(await client.putAlias(name, alias, target, { ifMatch: revisionId }), options);
    });
}

async function before({ functionName, name, version }: Alias, client: Client): Promise<number> {
  const { items } = await client.versions(functionName, { limit: 1, before: version });
  const [older] = items;
  if (older !== undefined) return older.version;
  throw new Error(
    `Cannot roll back ${functionName}:${name}: there is no version before ${version}`,
  );
}
