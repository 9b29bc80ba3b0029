import { join } from "node:path";
import { v7 as uuidv7 } from "uuid";
import { nowUs } from "../runtime/clock.ts";
import { RecordWriter } from "../store/batch.ts";
import { openDatabase } from "../store/database.ts";
import { InvocationStore } from "../store/invocations.ts";
import { alternate } from "./harness/alternate.ts";
import type { Bench } from "./harness/bench.ts";

const batch = 2000;
/** How many invocations are written about at once, as from so many connections. */
const writers = 16;
const pages = 50;
const pageLength = 50;

/** Records a second, each written when it begins and when it ends; and a page of the list. */
export const store: Bench = {
  name: "store",
  summary: "an answer is a record: records a second, and a page of the list (store-list)",
  peers: [],
  defaultRuns: 50,
  counts: `batches of ${batch} records`,
  run: async (context) => {
    const { runs, directory, stack } = context;
    const database = stack.use(openDatabase(join(directory, "runlet.db")));
    const writer = stack.use(new RecordWriter(database));
    const invocations = new InvocationStore(database);
    const write = async (): Promise<number> => {
      const start = performance.now();
      let left = batch;
      const work = async (): Promise<void> => {
        while (left-- > 0) await record(writer, invocations);
      };
      await Promise.all(Array.from({ length: writers }, work));
      return batch / ((performance.now() - start) / 1000);
    };
    const list = async (): Promise<number> => {
      const start = performance.now();
      invocations.page({ functionName: "bench", limit: pageLength });
      return performance.now() - start;
    };
    const once = async (samples: number, sample: () => Promise<number>): Promise<number[]> => {
      const taken = await alternate([{ name: "runlet", samples, sample }], context);
      return taken.get("runlet") ?? [];
    };
    const written = new Map([["runlet", await once(runs, write)]]);
    const listed = new Map([["runlet", await once(Math.min(pages, runs * 10), list)]]);
    const facts = new Map([["runlet", { onRecord: runs * batch }]]);
    return [
      { name: "store", unit: "records/s", better: "higher", samples: written, facts },
      { name: "store-list", unit: "ms", better: "lower", samples: listed, facts },
    ];
  },
};

async function record(writer: RecordWriter, invocations: InvocationStore): Promise<void> {
  const id = uuidv7();
  const atUs = nowUs();
  const begun = writer.write(() =>
    invocations.insert({
      id,
      kind: "invoke",
      functionName: "bench",
      functionVersion: 1,
      runtime: "node",
      image: "default",
      status: "running",
      queuedAtUs: atUs,
      startedAtUs: atUs,
      eventBytes: 14,
    }),
  );
  await begun;
  await writer.write(() =>
    invocations.update(id, {
      status: "succeeded",
      startKind: "pooled",
      finishedAtUs: nowUs(),
      runUs: 1000,
      answerBytes: 15,
      stdout: Buffer.from("greeting Ada\n"),
      stdoutBytes: 13,
    }),
  );
}
