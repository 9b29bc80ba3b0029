import type { Connection } from "./connection.ts";
import type { SendOptions } from "./send.ts";
import { linesOf } from "./lines.ts";

export interface FollowOptions {
  signal?: AbortSignal | undefined;
  /** Told once the server has begun to follow. */
  onOpen?: () => void;
}

/** What a path that is followed tells, as it comes. @throws ApiError or ConnectionError. */
export async function* follow<Event>(
  connection: Connection,
  path: string,
  options: FollowOptions,
  request: SendOptions = { method: "GET" },
): AsyncGenerator<Event> {
  const { signal, onOpen = () => {} } = options;
  const response = await connection.send(path, { ...request, signal });
  onOpen();
  const lines = linesOf(response.stream());
  try {
    for (;;) {
      const line = await connection.body(lines.next());
      if (line.done) return;
      if (line.value.startsWith("data: ")) yield JSON.parse(line.value.slice(6)) as Event;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    await lines.return(undefined);
  }
}
