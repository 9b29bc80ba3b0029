import { Cron } from "croner";
import { RunletError } from "../errors.ts";

/** When a schedule comes due. */
export interface Expression {
  /** The first due time after `afterUs`, both in microseconds since the epoch; undefined if none comes any more. */
  next(afterUs: number): number | undefined;
}

export interface ExpressionText {
  /** Cron with 5 or 6 fields, or `rate(<n> <unit>)`. */
  readonly expression: string;
  /** IANA time zone that cron is read in. */
  readonly timeZone: string;
  /** What a rate counts from, microseconds since the epoch. */
  readonly anchoredAtUs: number;
}

/**
 * Reads an expression. Cron with seconds, minutes and hours that have no `*` and no step names times of day:
 * each comes due once a day, at the first moment after the gap where daylight saving leaves it out, and the
 * first time where it comes twice. Any other cron comes due whenever the clock on the wall shows its times.
 * @throws `invalid_argument` that names the field that is wrong.
 */
export function parseExpression({
  expression,
  timeZone,
  anchoredAtUs,
}: ExpressionText): Expression {
  checkTimeZone(timeZone);
  return expression.startsWith("rate")
    ? parseRate(expression, anchoredAtUs)
    : parseCron(expression, timeZone);
}

const unitSeconds: Readonly<Record<string, number>> = {
  second: 1,
  minute: 60,
  hour: 3_600,
  day: 86_400,
};

const maxRateSeconds = 366 * 86_400;

function parseRate(expression: string, anchoredAtUs: number): Expression {
  const [, count, unit = ""] =
    /^rate\((\d{1,8}) (second|minute|hour|day)s?\)$/.exec(expression) ?? [];
  const seconds = Number(count) * (unitSeconds[unit] ?? 0);
  if (!(seconds >= 1 && seconds <= maxRateSeconds)) {
    throw invalid(
      "expression",
      `"${expression}" is no rate. Write it as rate(5 minutes), in seconds, minutes, hours or days, from 1 second to 366 days`,
    );
  }
  const everyUs = seconds * 1_000_000;
  return {
    next: (afterUs) =>
      anchoredAtUs + (Math.max(0, Math.floor((afterUs - anchoredAtUs) / everyUs)) + 1) * everyUs,
  };
}

const cronOptions = { mode: "5-or-6-parts", fixedTimeRule: "no-wildcard", paused: true } as const;
const fieldNames = ["second", "minute", "hour", "day of month", "month", "day of week"];

function parseCron(expression: string, timeZone: string): Expression {
  const fields = expression.split(/\s+/);
  if (fields.length !== 5 && fields.length !== 6) {
    throw invalid(
      "expression",
      `"${expression}" has neither 5 nor 6 fields. Write cron, with seconds first where it has 6, or a rate such as rate(5 minutes)`,
    );
  }
  const names = fieldNames.slice(fieldNames.length - fields.length);
  for (const [index, field] of fields.entries()) {
    // Alone among wildcards, so that what is wrong can be named as it was written.
    if (!isCron(fields.map((_, at) => (at === index ? field : "*")).join(" "))) {
      throw invalid("expression", `its ${names[index]} "${field}" is none that cron knows`);
    }
  }
  const cron = new Cron(expression, { ...cronOptions, timezone: timeZone });
  return {
    next(afterUs): number | undefined {
      const date = cron.nextRun(new Date(Math.floor(afterUs / 1000)));
      return date === null ? undefined : date.getTime() * 1000;
    },
  };
}

function isCron(expression: string): boolean {
  try {
    return new Cron(expression, cronOptions) instanceof Cron;
  } catch {
    return false;
  }
}

function checkTimeZone(timeZone: string): void {
  try {
    Intl.DateTimeFormat("en", { timeZone });
  } catch {
    throw invalid(
      "timeZone",
      `"${timeZone}" is not known. Name an IANA time zone such as Europe/Berlin`,
    );
  }
}

function invalid(field: string, why: string): RunletError {
  return new RunletError("invalid_argument", `Cannot take the schedule: ${field}: ${why}`);
}
