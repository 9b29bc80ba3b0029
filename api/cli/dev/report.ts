import { styleText } from "node:util";
import type { StreamedAnswer } from "../../client/invoke.ts";
import type { FollowEvent } from "../../schema/follow.ts";
import type { FunctionVersion } from "../../schema/function.ts";
import type { InvocationDetail } from "../../schema/invocation.ts";
import { answerAsJson, printAnswer } from "../answer.ts";
import { reportError } from "../errors.ts";
import { duration, endOf } from "../format.ts";
import { writeOutput } from "../terminal.ts";

/** What an invocation of the function wrote just now. */
type Output = Extract<FollowEvent, { type: "output" }>;

/** Told of what a round came to. */
export interface Report {
  deployed(version: FunctionVersion & { created: boolean }, tookMs: number): void;
  wrote(output: Output): void;
  answered(answer: StreamedAnswer): Promise<void>;
  /** Follows the answer, or comes without one where the function failed. */
  invoked(record: InvocationDetail): void;
  failed(error: unknown): void;
}

/** For people: the answer on stdout, what the function writes on the stream of that name, the rest on stderr. */
export const textReport: Report = {
  deployed(version, tookMs) {
    const what = version.created ? "deployed in" : "is the same; asked in";
    note(`${version.name} version ${version.version} ${what} ${duration(tookMs * 1000)}`);
  },
  wrote({ stream, text }) {
    writeOutput(process[stream], text);
  },
  async answered(answer) {
    await printAnswer(answer);
    if (!process.stdout.isTTY) process.stdout.write("\n");
  },
  invoked(record) {
    const { status, start = "no", queueUs, takeUs, initUs, runUs } = record;
    const times = { queue: queueUs, take: takeUs, load: initUs, run: runUs };
    const known = Object.entries(times).filter(([, us]) => us !== undefined);
    const told = known.map(([name, us]) => `${name} ${duration(us)}`).join(", ");
    note(`${status} (${endOf(record)}), ${start} start: ${told}`);
  },
  failed(error) {
    reportError(error, { isJson: false });
  },
};

/** For programs: a line of JSON for each thing that happens. */
export const jsonReport: Report = {
  deployed: (version, tookMs) => line({ deployed: version, tookMs }),
  wrote: (output) => line({ wrote: output }),
  answered: async (answer) => line({ answered: await answerAsJson(answer) }),
  invoked: (record) => line({ invoked: record }),
  failed: (error) => reportError(error, { isJson: true }),
};

function note(text: string): void {
  process.stderr.write(`${styleText("dim", `-- ${text}`, { stream: process.stderr })}\n`);
}

function line(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
