import { randomInt } from "node:crypto";
import { constants } from "node:os";
import type { Bench } from "./harness/bench.ts";
import type { HttpLoad } from "./harness/http-load.ts";
import { seriesOf, type Verdict } from "./harness/result.ts";
import { type Server, startServer } from "./harness/server.ts";

const callers = 8;
/** As many as it takes to see what goes wrong. */
const mostShown = 20;

/** Those that end a process and that a shell lets through. */
const signals = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGILL",
  "SIGABRT",
  "SIGFPE",
  "SIGKILL",
  "SIGUSR1",
  "SIGSEGV",
  "SIGUSR2",
  "SIGPIPE",
  "SIGALRM",
  "SIGTERM",
] as const;

interface Case {
  readonly script: string;
  readonly end: string;
}

/** Functions that end at once with a random code or signal; a sample is 1 where the record is wrong. */
export const fidelity: Bench = {
  name: "fidelity",
  summary: "the exit code is the truth: functions that end at once, every record right",
  peers: [],
  defaultRuns: 10_000,
  counts: "functions",
  run: async (context) => {
    const { runs, signal, progress } = context;
    const server = await startServer(context);
    await server.client.deploy("fidelity", {
      runtime: "command",
      command: ["/bin/sh", "-c", 'read line; eval "$line"'],
    });
    const load = server.load(callers);
    const samples: number[] = [];
    let left = runs;
    let wrong = 0;
    const caller = async (): Promise<void> => {
      while (left-- > 0) {
        signal.throwIfAborted();
        const expected = randomCase();
        const found = await endOnRecord(expected.script, load, server);
        const isWrong = found !== expected.end;
        samples.push(isWrong ? 1 : 0);
        if (isWrong && ++wrong <= mostShown) {
          process.stderr.write(`wrong: ${expected.script}: ${found} is on record\n`);
        }
        progress(`${samples.length} of ${runs}, ${wrong} wrong`);
      }
    };
    await Promise.all(Array.from({ length: Math.min(callers, runs) }, caller));
    return [
      {
        name: "fidelity",
        unit: "wrong records",
        better: "lower",
        samples: new Map([["runlet", samples]]),
        facts: new Map([["runlet", { wrong }]]),
        judge: (result): Verdict[] => {
          const { n } = seriesOf(result, "runlet");
          const figure = `${wrong} of ${n} wrong`;
          return [{ promise: "every record right", figure, holds: wrong === 0, isExact: true }];
        },
      },
    ];
  },
};

function randomCase(): Case {
  if (randomInt(2) === 0) {
    const code = randomInt(256);
    return { script: `exit ${code}`, end: `exited ${code}` };
  }
  const signal = signals[randomInt(signals.length)] ?? "SIGTERM";
  const code = 128 + constants.signals[signal];
  return { script: `kill -${signal.slice(3)} $$`, end: `signaled ${code} ${signal}` };
}

async function endOnRecord(script: string, load: HttpLoad, server: Server): Promise<string> {
  const { headers } = await load.post("/v1/functions/fidelity/invocations", `${script}\n`);
  const record = await server.client.invocation(String(headers["runlet-invocation-id"]));
  const { exitReason, exitCode, exitSignal } = record;
  return [exitReason, exitCode, exitSignal].filter((part) => part !== undefined).join(" ");
}
