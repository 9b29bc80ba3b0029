import { StringDecoder } from "node:string_decoder";
import type { WriteStream } from "node:tty";
import type { InvocationDetail } from "../schema/invocation.ts";
import { size } from "./format.ts";

/** Standard output or standard error. */
export type Output = Pick<WriteStream, "isTTY" | "write">;

/** Writes what a guest wrote: byte for byte, save on a terminal, which it shall not control. */
export function writeOutput(stream: Output, content: string | Uint8Array): void {
  if (!stream.isTTY) {
    stream.write(content);
    return;
  }
  stream.write(printable(Buffer.from(content as Uint8Array).toString(), stream));
}

/** Writes what a guest wrote, piece by piece: of a character that comes in two, a terminal can be shown neither. */
export class OutputWriter {
  readonly #decoders = { stdout: new StringDecoder(), stderr: new StringDecoder() };

  write(name: "stdout" | "stderr", text: string, encoding: "utf8" | "base64"): void {
    const stream = process[name];
    const bytes = Buffer.from(text, encoding);
    writeOutput(stream, stream.isTTY ? this.#decoders[name].write(bytes) : bytes);
  }
}

/** Text as it may go to `stream`: on a terminal without control characters but line breaks, tabs and colours. */
export function printable(text: string, stream: Pick<Output, "isTTY">): string {
  if (!stream.isTTY) return text;
  return text.replaceAll(/\p{Cc}(?:\[[\d;:]*m)?/gu, (match) => {
    const isColour = match.length > 1 && match.startsWith("\u001B");
    return isColour || "\n\t\r".includes(match.charAt(0)) ? match : picture(match);
  });
}

/** A control character's picture, such as ␛; what follows it stays. */
function picture(match: string): string {
  const code = match.codePointAt(0) ?? 0;
  return (code < 0x20 ? String.fromCodePoint(0x2400 + code) : "\uFFFD") + match.slice(1);
}

/** Prints what an invocation wrote, each stream on ours of the same name, and whether it was cut. */
export function printOutput(record: InvocationDetail): void {
  writeLines(process.stdout, record.stdout);
  tellCut("stdout", record.stdoutTruncated, record.stdoutBytes);
  writeLines(process.stderr, record.stderr);
  tellCut("stderr", record.stderrTruncated, record.stderrBytes);
}

/** As {@link writeOutput}; what follows on a terminal begins a line of its own. */
export function writeLines(stream: Output, text: string): void {
  writeOutput(stream, text);
  if (stream.isTTY && text !== "" && !text.endsWith("\n")) stream.write("\n");
}

function tellCut(name: string, isTruncated: boolean, bytes: number): void {
  if (isTruncated) process.stderr.write(`[${name} cut: it had ${size(bytes)}]\n`);
}
