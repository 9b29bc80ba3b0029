import { z } from "@hono/zod-openapi";
import {
  eventId,
  functionName,
  momentUs,
  pageLimit,
  pageOf,
  revisionId,
  scheduleName,
} from "./common.ts";
import { provisionedCount } from "./concurrency.ts";

const settings = {
  function: functionName,
  qualifier: z.string().min(1).max(64).optional().openapi({
    description: "What to invoke of the function; the latest version by default",
  }),
  expression: z.string().trim().min(1).max(256).openapi({
    description:
      "Cron with 5 fields, or 6 with seconds first, or a rate such as rate(5 minutes) in seconds, minutes, hours or days",
    example: "30 2 * * *",
  }),
  timeZone: z.string().min(1).max(64).default("UTC").openapi({
    description: "IANA time zone that a cron expression is read in",
    example: "Europe/Berlin",
  }),
  contentType: z
    .string()
    .max(256)
    .regex(/^[\w.+-]+\/[\w.+-]+(?:;[ -~]*)?$/, { error: "expected a media type" })
    .default("application/json")
    .openapi({ description: "Media type of the event" }),
  provisioned: provisionedCount.optional().openapi({
    description:
      "Instead of an event: how many containers are kept started for the function from the due time on, until it is set anew",
  }),
};

const missedRuns = z.enum(["skip", "run-once"]).openapi({
  description: "What becomes of due times that passed while the server was down",
});

const event = z.json().openapi({
  type: ["object", "array", "string", "number", "boolean", "null"],
  description: "The event: a JSON value, or the text itself where the content type is not JSON",
});

/** A schedule as its owner states it. */
export const scheduleSpec = z
  .strictObject({
    ...settings,
    missedRuns: missedRuns.optional().openapi({
      description:
        "What becomes of due times that passed while the server was down: skip by default, and run-once with provisioned",
    }),
    event: event.optional().openapi({ description: "{} by default" }),
  })
  .superRefine(({ provisioned, event: ownEvent, qualifier }, context) => {
    if (provisioned === undefined) return;
    for (const [path, value] of Object.entries({ event: ownEvent, qualifier })) {
      if (value === undefined) continue;
      const message = "goes with an event, and a schedule with provisioned queues none";
      context.addIssue({ code: "custom", path: [path], message });
    }
  })
  .openapi("ScheduleSpec", {
    example: {
      function: "hello",
      expression: "30 2 * * *",
      timeZone: "Europe/Berlin",
      event: { name: "Ada" },
    },
  });

const scheduleExample = {
  name: "nightly",
  function: "hello",
  qualifier: "live",
  expression: "30 2 * * *",
  timeZone: "Europe/Berlin",
  contentType: "application/json",
  missedRuns: "skip" as const,
  state: "active" as const,
  revisionId: "55192cbb-01d7-402e-acdf-e901b834542b",
  nextAtUs: [1769909400000000, 1769995800000000],
  createdAtUs: 1769860800000000,
  updatedAtUs: 1769860800000000,
};

/** A schedule as a list shows it. */
export const schedule = z
  .object({
    name: scheduleName,
    ...settings,
    missedRuns,
    state: z.enum(["active", "paused"]).openapi({ description: "A paused one never comes due" }),
    revisionId,
    nextAtUs: z.array(momentUs).openapi({
      description: "The next due times, three at most; none while it is paused",
    }),
    last: z
      .object({
        dueAtUs: momentUs,
        eventId: eventId.optional().openapi({ description: "None with provisioned" }),
        status: z.enum(["accepting", "accepted", "failed"]).openapi({
          description: "accepting: not handed over yet. failed: refused, as error says",
        }),
        error: z.string().optional().openapi({ description: "Why there is no event" }),
      })
      .optional()
      .openapi({
        description: "The due time that came last; what its event came to is to be seen there",
      }),
    lastMissed: z
      .object({
        count: z.number().int().positive().openapi({ description: "1000 stands for that or more" }),
        atUs: momentUs,
      })
      .optional()
      .openapi({ description: "How many due times passed without a run, and when that was seen" }),
    createdAtUs: momentUs,
    updatedAtUs: momentUs,
  })
  .openapi("Schedule", { example: scheduleExample });

/** A schedule with its event, if it queues one. */
export const scheduleDetail = schedule
  .extend({ event: event.optional() })
  .openapi("ScheduleDetail", { example: { ...scheduleExample, event: { name: "Ada" } } });

export const schedulePage = pageOf(schedule).openapi("SchedulePage", {
  example: { items: [scheduleExample] },
});

export const scheduleFilter = z.object({
  function: functionName.optional(),
  limit: pageLimit,
  after: scheduleName.optional().openapi({ description: "Cursor: `next` of the page before" }),
});

export type ScheduleSpec = z.infer<typeof scheduleSpec>;
export type ScheduleSpecInput = z.input<typeof scheduleSpec>;
export type Schedule = z.infer<typeof schedule>;
export type ScheduleDetail = z.infer<typeof scheduleDetail>;
export type ScheduleFilter = z.infer<typeof scheduleFilter>;
export type ScheduleQuery = z.input<typeof scheduleFilter>;
