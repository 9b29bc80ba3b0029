import { Command } from "commander";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { moment, size } from "../format.ts";
import { tarOf } from "../input.ts";
import { clientOf, exampleText, type ServerOptions, withServer } from "../options.ts";
import { printJson, printTable } from "../output.ts";
import { ProgressLine } from "../progress.ts";

/** `runlet image`. */
export function imageCommand(): Command {
  return new Command("image")
    .alias("images")
    .description("list, add and remove images")
    .addCommand(listCommand(), { isDefault: true })
    .addCommand(addCommand())
    .addCommand(removeCommand())
    .addHelpText("after", exampleText(["runlet image", "runlet image add debian.oci.tar"]));
}

function listCommand(): Command {
  return withServer(new Command("ls"), ["runlet image ls"])
    .description("list images (also without a subcommand)")
    .action(async (options: ServerOptions) => {
      const items = await clientOf(options).images();
      if (options.json) return printJson({ items });
      const rows = items.map((image) => [
        image.name,
        image.kind,
        image.kind === "host" ? "-" : size(image.sizeBytes),
        image.digest.slice(0, 12),
        image.kind === "host" ? "-" : moment(image.createdAtMs * 1000),
      ]);
      printTable(["NAME", "KIND", "SIZE", "DIGEST", "CREATED"], rows, "No images.");
    });
}

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
      if (options.json) return printJson(image);
      process.stdout.write(`Added ${image.name} (${size(image.sizeBytes)})\n`);
    });
}

function removeCommand(): Command {
  return withServer(new Command("rm"), ["runlet image rm alpine"])
    .description("remove an image that was added")
    .argument("<name>", "the image")
    .action(async (name: string, options: ServerOptions) => {
      await clientOf(options).removeImage(name);
      if (options.json) printJson({ deleted: name });
      else process.stdout.write(`Removed ${name}\n`);
    });
}

async function archiveOf(path: string): Promise<AsyncIterable<Uint8Array>> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) throw new Error(`Cannot add ${path}: no such file or directory`);
  return info.isDirectory() ? tarOf(path) : createReadStream(path);
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
