import { Command } from "commander";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import type { PageAfter } from "../../client/methods.ts";
import type { Image } from "../../schema/image.ts";
import { moment, size } from "../format.ts";
import { tarOf } from "../directory-tar.ts";
import { clientOf, exampleText, type ServerOptions, withServer } from "../options.ts";
import { type Columns, printDone, printLeftOut } from "../output.ts";
import { printPage, queryOf, withPageAfter } from "../page.ts";
import { ProgressLine } from "../progress.ts";
import { removalCommand } from "../single.ts";

/** `runlet image`. */
export function imageCommand(): Command {
  return new Command("image")
    .alias("images")
    .description("list, add and delete images")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(addCommand())
    .addCommand(removeCommand())
    .addHelpText("after", exampleText(["runlet image", "runlet image add debian.oci.tar"]));
}

function listCommand(): Command {
  return withPageAfter(withServer(new Command("ls"), ["runlet image ls"]))
    .description("list images (also without a subcommand)")
    .action(async (options: ServerOptions & PageAfter) => {
      const page = await clientOf(options).images(queryOf(options));
      printPage(page, options, { columns, none: "No images.", cursor: "--after" });
    });
}

const columns: Columns<Image> = {
  NAME: ({ name }) => name,
  KIND: ({ kind }) => kind,
  SIZE: ({ kind, sizeBytes }) => (kind === "host" ? "-" : size(sizeBytes)),
  DIGEST: ({ digest }) => digest.slice(0, 12),
  CREATED: ({ kind, createdAtMs }) => (kind === "host" ? "-" : moment(createdAtMs * 1000)),
};

const addExamples = [
  "runlet image add ./rootfs --name alpine",
  "docker export $(docker create python:3.13) > py.tar; runlet image add py.tar --name py313",
];

function addCommand(): Command {
  return withServer(new Command("add"), addExamples)
    .description("make an image from a root file system: a directory, a tar file or an OCI archive")
    .argument("<path>", "the directory, tar file or OCI archive")
    .option("--name <name>", "name of the image; from the path by default")
    .action(async (path: string, options: ServerOptions & { name?: string }) => {
      const name = options.name ?? nameOf(path);
      using line = new ProgressLine({ isSilent: options.json === true });
      const onProgress = line.show.bind(line);
      const archive = counted(await archiveOf(path), onProgress);
      const image = await clientOf(options).addImage(name, archive, onProgress);
      line[Symbol.dispose]();
      printDone(options, image, `Added ${image.name} (${size(image.sizeBytes)})`);
    });
}

function removeCommand(): Command {
  return removalCommand({
    description: "delete an image that was added",
    example: "runlet image rm alpine",
    takes: { name: "the image" },
    remove: async (client, _change, name) => await client.removeImage(name),
  });
}

async function archiveOf(path: string): Promise<AsyncIterable<Uint8Array>> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) throw new Error(`Cannot add ${path}: no such file or directory`);
  return info.isDirectory() ? tarOf(path, { onLeftOut: printLeftOut }) : createReadStream(path);
}

async function* counted(
  archive: AsyncIterable<Uint8Array>,
  onProgress: ProgressLine["show"],
): AsyncGenerator<Uint8Array> {
  let doneBytes = 0;
  for await (const chunk of archive) {
    doneBytes += chunk.length;
    onProgress({ phase: "sending", doneBytes });
    yield chunk;
  }
}

function nameOf(path: string): string {
  return basename(resolve(path))
    .replace(/(?:\.oci)?(?:\.tar)?(?:\.gz|\.tgz)?$/, "")
    .toLowerCase();
}
