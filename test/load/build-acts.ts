import { node } from "../support/packages.ts";
import type { Acts, Caller } from "./act.ts";

/** What callers have built; each is a deployment that stays. */
export const buildActs: Acts = { build: [1, build] };

/** Deploys code with a package of its own that is not the same as any before. */
async function build({ client, ledger }: Caller): Promise<void> {
  const word = `word-${Math.random()}`;
  const spec = node({
    "package.json": '{"dependencies": {"greeting": "file:./greeting"}}',
    "index.mjs": 'import { word } from "greeting";\nexport const handler = () => word;',
    "greeting/package.json": '{"name": "greeting", "version": "1.0.0", "exports": "./index.mjs"}',
    "greeting/index.mjs": `export const word = "${word}";`,
  });
  const { version } = await client.deploy("built", spec);
  if (version.build !== undefined) {
    ledger.answered.set(version.build.invocationId, { status: "succeeded", exitCode: 0 });
  }
  ledger.built.set(`built:${version.version}`, word);
}
