import { constants } from "node:os";
import { RunletError } from "../errors.ts";

const named: Readonly<Record<string, number>> = constants.signals;
/** Names that Linux has and Node does not. */
const aliases: Readonly<Record<string, number>> = {
  CLD: constants.signals.SIGCHLD,
  UNUSED: constants.signals.SIGSYS,
};
/** The signals without a meaning of their own, as programs with the GNU C library count them. */
const realTime = { first: 34, last: 64 } as const;
/** Up to here they are named from the first on, and behind it from the last, as shells do. */
const lastFromFirst = 49;

/**
 * The number of a signal by its name, with `SIG` or without; real-time ones are `RTMIN`, `RTMIN+1` and so on to
 * `RTMAX-1` and `RTMAX`.
 * @throws `invalid_argument` for a name that there is not.
 */
export function signalNumber(name: string): number {
  const short = name.replace(/^SIG/, "");
  const number = named[`SIG${short}`] ?? aliases[short] ?? realTimeNumber(short);
  if (number !== undefined) return number;
  throw new RunletError("invalid_argument", `Cannot send ${name}: there is no such signal`);
}

/** The name of a signal's number, as {@link signalNumber} takes it. */
export function signalName(number: number): string {
  const { first, last } = realTime;
  if (number === first) return "SIGRTMIN";
  if (number === last) return "SIGRTMAX";
  if (number > first && number <= lastFromFirst) return `SIGRTMIN+${number - first}`;
  if (number > lastFromFirst && number < last) return `SIGRTMAX-${last - number}`;
  const found = Object.entries(named).find(([, value]) => value === number);
  return found?.[0] ?? `SIG${number}`;
}

function realTimeNumber(name: string): number | undefined {
  const [, from, sign, digits = "0"] = /^(RTMIN|RTMAX)(?:([+-])(\d{1,2}))?$/.exec(name) ?? [];
  if (from === undefined || sign === (from === "RTMIN" ? "-" : "+")) return undefined;
  const distance = Number(digits);
  const number = from === "RTMIN" ? realTime.first + distance : realTime.last - distance;
  return number >= realTime.first && number <= realTime.last ? number : undefined;
}
