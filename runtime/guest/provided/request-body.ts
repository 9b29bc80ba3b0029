import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { Refusal } from "./refusal.ts";

/** What a frame of the channel holds beside its header. */
const maxBodyBytes = 64 * 1024 * 1024;

/** Reads all that the program sends. @throws Refusal over the bound. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Left open, so that a program that sends too much can still be told.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxBodyBytes) throw tooLarge();
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): Refusal {
  return new Refusal(
    413,
    "RequestEntityTooLarge",
    `Exceeded maximum allowed payload size (${maxBodyBytes} bytes).`,
  );
}
