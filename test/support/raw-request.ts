import { once } from "node:events";
import { connect } from "node:net";
import { within } from "../../runtime/deadline.ts";

/** What a server sent back to text that was sent as it is. */
export interface RawAnswer {
  readonly status: number;
  /** Head and what of the body came with it. */
  readonly text: string;
}

/** Sends the head of a request, and nothing behind it, and answers once there is the head of an answer. */
export async function rawRequest(url: string, lines: readonly string[]): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  try {
    socket.write(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
    let text = "";
    const read = async (): Promise<void> => {
      while (!text.includes("\r\n\r\n")) {
        const [chunk] = (await once(socket, "data")) as [Buffer];
        text += chunk.toString("latin1");
      }
    };
    await within(read(), `see an answer to ${lines[0]}`, 10_000);
    return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]), text };
  } finally {
    socket.destroy();
  }
}
