import { asynchronous } from "./async.ts";
import { burst } from "./burst.ts";
import { cold } from "./cold.ts";
import { density } from "./density.ts";
import { deploy } from "./deploy.ts";
import { exec } from "./exec.ts";
import { fairness } from "./fairness.ts";
import { fidelity } from "./fidelity.ts";
import { fresh } from "./fresh.ts";
import type { Bench } from "./harness/bench.ts";
import { http } from "./http.ts";
import { list } from "./list.ts";
import { neighbour } from "./neighbour.ts";
import { reuse } from "./reuse.ts";
import { files } from "./files.ts";
import { sandboxDensity } from "./sandbox-density.ts";
import { sandbox } from "./sandbox.ts";
import { saturation } from "./saturation.ts";
import { store } from "./store.ts";
import { stream } from "./stream.ts";
import { throughput } from "./throughput.ts";

/** All benches, in the order in which they are listed. */
export const benches: readonly Bench[] = [
  cold,
  fresh,
  reuse,
  throughput,
  http,
  exec,
  density,
  store,
  list,
  fidelity,
  burst,
  neighbour,
  fairness,
  saturation,
  asynchronous,
  stream,
  deploy,
  sandbox,
  sandboxDensity,
  files,
];
