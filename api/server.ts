import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { ClockWatch } from "../runtime/clock.ts";
import { within } from "../runtime/deadline.ts";
import { messageOf } from "../runtime/errors.ts";
import { Wakefulness } from "../runtime/host/wakefulness.ts";
import type { ImageStore } from "../runtime/image/image-store.ts";
import type { Pool } from "../runtime/pool/pool.ts";
import type { RecordWriter } from "../store/batch.ts";
import { createApp } from "./app.ts";
import { type Config, loadConfig, settingVariables } from "./config.ts";
import { openContainers } from "./containers.ts";
import type { Dispatcher } from "./domain/events/dispatcher.ts";
import type { Invocations } from "./domain/invocations.ts";
import { asFailure } from "./domain/outcome.ts";
import { ensureFirstKey } from "./first-key.ts";
import { listen } from "./listener.ts";
import { createLoadShedder } from "./load-shedder.ts";
import { createLog, logFailure } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { openRecords } from "./records.ts";
import { watchRequests } from "./request-watch.ts";
import { Gate } from "./routes/gate.ts";
import type { Readiness } from "./routes/health.ts";
import type { Invocation } from "./schema/invocation.ts";
import { createServices } from "./services.ts";
import { unknownVariables } from "./settings.ts";
import type { Tracing } from "./tracing.ts";

/** How long what was cancelled at the end may take to end. */
const lastEndsMs = 15_000;

/** What a server is told from outside. */
export interface ServerSignals {
  /** It is not wanted any more, which a start that is under way need not wait for. */
  readonly stop?: AbortSignal;
  /** Its end is not to wait for what still runs. */
  readonly hurry?: AbortSignal;
}

/** How long answers that are on their way may take after the last invocation has ended. */
const lastAnswersMs = 2_000;

/** A server that listens. Disposing it stops accepting, cancels what still runs after a while, and cleans up. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string;
}

/**
 * Builds everything and listens: the one place that joins runtime, store and faces.
 * @throws DataDirectoryLockedError if another server has the data directory.
 */
export async function startServer(
  config: Config,
  log: Logger,
  { stop, hurry }: ServerSignals = {},
): Promise<RunningServer> {
  await using stack = new AsyncDisposableStack();
  const tracing = await openTracing(config, log, stack);
  const records = await openRecords(config, log, stack);
  const containers = await openContainers(config, log, records.snapshots, stack);
  const { pool, stocks, images, scheduler } = containers;
  const metrics = createMetrics({
    events: records.events,
    pool,
    stocks,
    scheduler,
    database: records.database,
    writer: records.writer,
    openSandboxes: () => services.sandboxes.size,
  });
  const onFinished = (record: Invocation): void => {
    metrics.observe(record);
    tracing?.invocation(record);
    if (record.error !== undefined) logFailure(log, record);
  };
  const services = createServices({
    config,
    log,
    records,
    containers,
    onFinished,
    onAttempt: metrics.onAttempt,
    tracing,
  });
  const { invocations, functions, dispatchers, feed, stockUp } = services;
  const clock = stack.use(services.clock);
  const retention = stack.use(services.retention);
  const isOpen = config.auth === "loopback";
  if (!isOpen) ensureFirstKey(services.keys, config.dataDir, log);
  const gate = new Gate({ keys: services.keys, isOpen, app: () => app });
  let isClosing = false;
  const readiness = { ready: false, reason: "starting" } as { ready: boolean; reason?: string };
  const watch = watchRequests({ log, tracing });
  const app = createApp({
    ...services,
    gate,
    readiness: () => readinessOf(readiness, pool, records.writer),
    isClosing: () => isClosing,
    metrics: metrics.registry,
    onThrottled: metrics.onThrottled,
    watch,
    log,
    maxEventBytes: config.maxEventBytes,
    maxStreamedRequestBytes: config.maxStreamedRequestBytes,
    maxCodeBytes: config.maxCodeBytes,
    url: () => listener.url,
  });

  const { onThrottled } = metrics;
  const shed = createLoadShedder({ ...services, gate, isClosing: () => isClosing, onThrottled });
  // Each request is followed to its end where somebody wants to know of it.
  const wakefulness = stack.use(new Wakefulness(config.wakefulMs));
  const listener = await listen(app, config, {
    shed: watch === undefined ? shed : () => false,
    onRequest: () => wakefulness.begin(),
  });
  stack.defer(async () => {
    readiness.ready = false;
    readiness.reason = "shutting down";
    // Who sends requests on here is to see that before they are refused.
    await sleep(config.shutdownDelayMs, undefined, { signal: hurry }).catch(() => undefined);
    isClosing = true;
    clock.stop();
    const closed = listener.close();
    for (const each of dispatchers) each.stop();
    await drain({ invocations, dispatchers, log }, config.shutdownTimeoutMs, hurry);
    await services.snapshots.close();
    await services.sandboxes.close();
    // What became of the sandboxes is told after the next start.
    await services.relay.close();
    services.sandboxEvents[Symbol.dispose]();
    feed[Symbol.dispose]();
    await within(closed, "send the last answers", lastAnswersMs).catch(() => listener.cut());
    await closed;
  });
  await prepareImage(images, log, stop);
  stop?.throwIfAborted();
  for (const name of functions.names()) stockUp(name);
  let recovered = 0;
  for (const each of dispatchers) recovered += await each.start();
  if (recovered > 0) log.warn({ recovered }, "events of an earlier run are due again");
  services.relay.wake();
  readiness.ready = true;
  delete readiness.reason;
  clock.start();
  retention.start();
  const onStep = (byUs: number): void => {
    log.warn({ bySeconds: byUs / 1_000_000 }, "the clock was set");
    clock.onStep();
    for (const each of dispatchers) {
      each.onStep(byUs).catch((error: unknown) => {
        log.error({ error: messageOf(error) }, "events may be late: the clock was set");
      });
    }
  };
  stack.use(new ClockWatch(onStep));
  log.info({ url: listener.url, dataDir: config.dataDir }, "listening");
  const owned = stack.move();
  return { url: listener.url, [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
}

/** Nothing of it is loaded where nobody asks for traces. What comes after it is traced to its end. */
async function openTracing(
  { otlpEndpoint }: Config,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<Tracing | undefined> {
  if (otlpEndpoint === undefined) return undefined;
  const { Tracing } = await import("./tracing.ts");
  return stack.use(new Tracing(otlpEndpoint, log));
}

/** A host that can write no record, or start no containers for stock, is not ready, and tells why. */
function readinessOf(own: Readiness, pool: Pool, { failure }: RecordWriter): Readiness {
  if (!own.ready) return own;
  if (failure !== undefined) return { ready: false, reason: asFailure(failure).message };
  for (const [name, { error }] of pool.states) {
    if (error !== undefined) return { ready: false, reason: `pool ${name}: ${error}` };
  }
  return own;
}

/** Lets running invocations end for a while, then cancels what is left. */
async function drain(
  { invocations, dispatchers, log }: Draining,
  timeoutMs: number,
  hurry: AbortSignal | undefined,
): Promise<void> {
  const idle = async (): Promise<unknown> =>
    await Promise.all([invocations.idle(), ...dispatchers.map(async (each) => await each.idle())]);
  try {
    await within(idle(), "let running invocations end", timeoutMs, hurry);
  } catch {
    const reason = "Invocation was cancelled: the server shuts down";
    invocations.cancelAll(reason);
    for (const each of dispatchers) each.cancelAll(reason);
    await within(idle(), "cancel what still runs", lastEndsMs).catch((error: unknown) =>
      log.error({ error: messageOf(error) }, "invocations are left to the next start"),
    );
  }
}

interface Draining {
  readonly invocations: Invocations;
  readonly dispatchers: readonly Dispatcher[];
  readonly log: Logger;
}

/** Builds the default image at the first start; without it, functions that name another image still run. */
async function prepareImage(
  images: ImageStore,
  log: Logger,
  signal: AbortSignal | undefined,
): Promise<void> {
  let phase = "";
  try {
    await images.ensureDefault({
      ...(signal && { signal }),
      onProgress: (progress) => {
        if (progress.phase !== phase) log.info(progress, "building the default image");
        phase = progress.phase;
      },
    });
  } catch (error) {
    log.warn({ error: messageOf(error) }, "no default image; functions with image host still run");
  }
}

/** Runs a server until a signal ends it; a second one hurries that. */
export async function serveUntilSignal(config: Config): Promise<void> {
  const log = createLog(config.logLevel);
  const unknown = unknownVariables(settingVariables, process.env);
  if (unknown.length > 0) log.warn({ variables: unknown }, "no setting has these names");
  const stop = new AbortController();
  const hurry = new AbortController();
  const onSignal = (): void => {
    log.info(stop.signal.aborted ? "hurrying" : "shutting down");
    (stop.signal.aborted ? hurry : stop).abort();
  };
  // Not `once`: libraries that clean up at a signal end the process where they see no listener but their own.
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  const signals = { stop: stop.signal, hurry: hurry.signal };
  try {
    await using _server = await startServer(config, log, signals);
    if (!stop.signal.aborted) await once(stop.signal, "abort");
  } catch (error) {
    // A start that nobody wants any more has not failed.
    if (error !== stop.signal.reason) throw error;
  }
}

if (import.meta.main) {
  try {
    await serveUntilSignal(loadConfig(process.env));
  } catch (error) {
    process.stderr.write(`error: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}
