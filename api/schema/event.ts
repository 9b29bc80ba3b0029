import { z } from "@hono/zod-openapi";
import {
  eventId,
  functionName,
  invocationId,
  momentUs,
  pageLimit,
  pageOf,
  traceId,
} from "./common.ts";
import { callback } from "./destination.ts";
import { invocation } from "./invocation.ts";

const eventState = z.enum(["queued", "running", "succeeded", "dead"]).openapi("EventState", {
  description: "dead: it was given up, and may be driven again",
});

/** What the acceptance of an event is answered with. */
export const acceptedEvent = z
  .object({ eventId })
  .openapi("AcceptedEvent", { example: { eventId: "019a3c1e-6e10-7a1b-9c2d-3e4f5a6b7c8d" } });

const eventExample = {
  id: "019a3c1e-6e10-7a1b-9c2d-3e4f5a6b7c8d",
  kind: "invoke" as const,
  functionName: "hello",
  contentType: "application/json",
  bodyBytes: 15,
  source: "api",
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  state: "dead" as const,
  attempts: 3,
  acceptedAtUs: 1769860800000000,
  endedAtUs: 1769860980000000,
  condition: "RetriesExhausted" as const,
  error: { code: "function_error", message: "Function failed: Error: broken" },
};

/** An event that was accepted for a function, as a list shows it. */
export const event = z
  .object({
    id: eventId,
    kind: z.enum(["invoke", "deliver"]).openapi({
      description:
        "invoke: it is for the function. deliver: it tells a URL of the end of another one, or of what became of a sandbox",
    }),
    functionName: z.string().openapi({
      description:
        "The function that it is for; of a delivery, the one whose event has ended, or `webhook:NAME`",
      example: "hello",
    }),
    qualifier: z.string().optional().openapi({
      description: "The alias or the version that the caller named, if any",
    }),
    contentType: z.string().optional().openapi({ description: "Media type of the event" }),
    bodyBytes: z.number().int().openapi({ description: "Size of the event" }),
    source: z.string().openapi({
      description:
        "Who handed it in: `api`, `schedule:NAME`, or, for the end of another one, `destination:FUNCTION` or `callback:FUNCTION`; `sandbox-events` for what webhooks are told",
      example: "api",
    }),
    traceId,
    callback: callback.optional().openapi({
      description: "The URL that its caller wants told of its end; of a delivery, where it goes",
    }),
    state: eventState,
    attempts: z.number().int().openapi({
      description: "Attempts begun so far, without those that were turned away for want of room",
    }),
    acceptedAtUs: momentUs,
    nextAtUs: momentUs.optional().openapi({ description: "When a queued one is due" }),
    endedAtUs: momentUs.optional().openapi({
      description: "When it succeeded or was given up, microseconds since the epoch",
    }),
    condition: z.enum(["RetriesExhausted", "EventAgeExceeded"]).optional().openapi({
      description: "Why a dead one was given up",
    }),
    error: z
      .object({
        code: z.string().openapi({ description: "The kind of error, as in a problem" }),
        message: z.string().openapi({ description: "What went wrong" }),
      })
      .optional()
      .openapi({ description: "Of the last attempt that did not succeed" }),
  })
  .openapi("Event", { example: eventExample });

const eventInvocation = invocation
  .pick({ status: true, attempt: true, queuedAtUs: true, finishedAtUs: true })
  .extend({ invocationId })
  .openapi("EventInvocation");

const detailExample = {
  ...eventExample,
  invocations: [
    {
      invocationId: "019a3c1e-6f2b-7c3d-8e4f-5a6b7c8d9e0f",
      status: "failed" as const,
      attempt: 3,
      queuedAtUs: 1769860979000000,
      finishedAtUs: 1769860980000000,
    },
  ],
};

/** An event with the invocations that were made for it, oldest first. */
export const eventDetail = event
  .extend({
    invocations: z.array(eventInvocation).openapi({ description: "One for each attempt" }),
  })
  .openapi("EventDetail", { example: detailExample });

/** An event that was given up, with its body. */
export const deadLetter = eventDetail
  .extend({
    body: z.string().openapi({ description: "The event itself" }),
    bodyEncoding: z
      .enum(["utf8", "base64"])
      .openapi({ description: "base64 where the body is not valid UTF-8" }),
  })
  .openapi("DeadLetter", {
    example: { ...detailExample, body: '{"name": "Ada"}', bodyEncoding: "utf8" },
  });

export const eventPage = pageOf(event).openapi("EventPage", { example: { items: [eventExample] } });

export const eventFilter = z.object({
  function: functionName.optional(),
  state: eventState.optional(),
  limit: pageLimit,
  before: eventId.optional().openapi({ description: "Cursor: `next` of the page before" }),
});

export const deadLetterFilter = eventFilter.omit({ state: true });

/** Whose dead letters are meant. */
export const deadLettersOf = z
  .strictObject({ function: functionName })
  .openapi("DeadLettersOf", { example: { function: "hello" } });

/** How many events something was done to. */
export const eventCount = z
  .object({ count: z.number().int().openapi({ description: "How many" }) })
  .openapi("EventCount", { example: { count: 2 } });

export type AcceptedEvent = z.infer<typeof acceptedEvent>;
export type Event = z.infer<typeof event>;
export type EventDetail = z.infer<typeof eventDetail>;
export type EventFilter = z.infer<typeof eventFilter>;
export type EventQuery = z.input<typeof eventFilter>;
export type DeadLetter = z.infer<typeof deadLetter>;
export type DeadLetterFilter = z.infer<typeof deadLetterFilter>;
export type DeadLetterQuery = z.input<typeof deadLetterFilter>;
export type EventCount = z.infer<typeof eventCount>;
