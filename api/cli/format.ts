import type { Invocation } from "../schema/invocation.ts";

/** A moment in microseconds since the epoch for people, in the local time zone. */
export function moment(us: number): string {
  const date = new Date(us / 1000);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19).replace("T", " ");
}

/** A duration in microseconds for people. */
export function duration(us: number | undefined): string {
  if (us === undefined) return "-";
  if (us < 1000) return `${us} us`;
  return us < 1_000_000 ? `${(us / 1000).toFixed(1)} ms` : `${(us / 1_000_000).toFixed(2)} s`;
}

/** A size for people. */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** A share for people. */
export function percent(share: number | undefined): string {
  return share === undefined ? "-" : `${(share * 100).toFixed(1)} %`;
}

/** How an invocation ended, in a word or two. */
export function endOf(record: Invocation): string {
  if (record.exitSignal !== undefined) return record.exitSignal;
  return record.exitCode === undefined ? "-" : `exit ${record.exitCode}`;
}
