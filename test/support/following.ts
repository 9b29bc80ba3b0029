import type { Client } from "../../api/client/client.ts";
import type { FollowEvent } from "../../api/schema/follow.ts";
import { poll, within } from "../../runtime/deadline.ts";

const timeoutMs = 30_000;

/** Follows a function; `events` fills while it does. */
export async function following(
  client: Client,
  name: string,
): Promise<AsyncDisposable & { events: FollowEvent[] }> {
  const events: FollowEvent[] = [];
  const stop = new AbortController();
  const opened = Promise.withResolvers<void>();
  const { signal } = stop;
  const all = (async (): Promise<void> => {
    const stream = client.followFunction(name, { signal, onOpen: opened.resolve });
    for await (const event of stream) events.push(event);
  })().catch(opened.reject);
  await within(opened.promise, "follow", timeoutMs);
  return {
    events,
    async [Symbol.asyncDispose](): Promise<void> {
      stop.abort();
      await within(all, "see the following end", timeoutMs);
    },
  };
}

/** Waits until so many invocations have ended, and answers what came. */
export async function followedTo(
  events: readonly FollowEvent[],
  ends: number,
): Promise<readonly FollowEvent[]> {
  const probe = (): true | undefined =>
    events.filter(({ type }) => type === "end").length >= ends ? true : undefined;
  await poll(`see ${ends} ends`, probe, { timeoutMs });
  return events;
}

/** What came of one stream. */
export function followedText(events: readonly FollowEvent[], stream: "stdout" | "stderr"): string {
  const outputs = events.filter((event) => event.type === "output");
  return outputs
    .filter((event) => event.stream === stream)
    .map(({ text }) => text)
    .join("");
}
