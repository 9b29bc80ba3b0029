import type { Logger } from "pino";
import { within } from "../runtime/deadline.ts";
import { messageOf } from "../runtime/errors.ts";
import type { ImageStore } from "../runtime/image/image-store.ts";
import type { Pool } from "../runtime/pool/pool.ts";
import { createApp } from "./app.ts";
import { type Config, loadConfig } from "./config.ts";
import { openContainers } from "./containers.ts";
import type { Dispatcher } from "./domain/events/dispatcher.ts";
import type { Invocations } from "./domain/invocations.ts";
import { ensureFirstKey } from "./first-key.ts";
import { listen } from "./listener.ts";
import { createLog } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { openRecords } from "./records.ts";
import { Gate } from "./routes/gate.ts";
import type { Readiness } from "./routes/health.ts";
import type { Invocation } from "./schema/invocation.ts";
import { createServices } from "./services.ts";

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
export async function startServer(config: Config, log: Logger): Promise<RunningServer> {
  await using stack = new AsyncDisposableStack();
  const records = await openRecords(config, log, stack);
  const containers = await openContainers(config, log, records.snapshots, stack);
  const { pool, stocks, images, scheduler } = containers;
  const metrics = createMetrics({
    events: records.events,
    pool,
    stocks,
    scheduler,
    openSandboxes: () => services.sandboxes.size,
  });
  const onFinished = (record: Invocation): void => metrics.observe(record);
  const services = createServices({ config, log, records, containers, onFinished });
  const { invocations, functions, dispatchers, feed, stockUp } = services;
  const clock = stack.use(services.clock);
  const isOpen = config.auth === "loopback";
  if (!isOpen) ensureFirstKey(services.keys, config.dataDir, log);
  const gate = new Gate({ keys: services.keys, isOpen, app: () => app });
  let isClosing = false;
  const readiness = { ready: false, reason: "starting" } as { ready: boolean; reason?: string };
  const app = createApp({
    ...services,
    gate,
    readiness: () => readinessOf(readiness, pool),
    isClosing: () => isClosing,
    metrics: metrics.registry,
    log,
    maxEventBytes: config.maxEventBytes,
    maxStreamedRequestBytes: config.maxStreamedRequestBytes,
    maxCodeBytes: config.maxCodeBytes,
  });

  const listener = await listen(app, config);
  stack.defer(async () => {
    isClosing = true;
    readiness.ready = false;
    readiness.reason = "shutting down";
    clock.stop();
    const closed = listener.close();
    for (const each of dispatchers) each.stop();
    await drain({ invocations, dispatchers }, config.shutdownTimeoutMs);
    await services.snapshots.close();
    await services.sandboxes.close();
    feed[Symbol.dispose]();
    await within(closed, "send the last answers", lastAnswersMs).catch(() => listener.cut());
    await closed;
  });
  await prepareImage(images, log);
  for (const name of functions.names()) stockUp(name);
  let recovered = 0;
  for (const each of dispatchers) recovered += await each.start();
  if (recovered > 0) log.warn({ recovered }, "events of an earlier run are due again");
  readiness.ready = true;
  delete readiness.reason;
  clock.start();
  log.info({ url: listener.url, dataDir: config.dataDir }, "listening");
  const owned = stack.move();
  return { url: listener.url, [Symbol.asyncDispose]: async () => await owned.disposeAsync() };
}

/** A host that cannot start containers for stock is not ready, and tells why. */
function readinessOf(own: Readiness, pool: Pool): Readiness {
  if (!own.ready) return own;
  for (const [name, { error }] of pool.states) {
    if (error !== undefined) return { ready: false, reason: `pool ${name}: ${error}` };
  }
  return own;
}

/** Lets running invocations end for a while, then cancels what is left. */
async function drain({ invocations, dispatchers }: Draining, timeoutMs: number): Promise<void> {
  const idle = async (): Promise<unknown> =>
    await Promise.all([invocations.idle(), ...dispatchers.map(async (each) => await each.idle())]);
  try {
    await within(idle(), "let running invocations end", timeoutMs);
  } catch {
    const reason = "Invocation was cancelled: the server shuts down";
    invocations.cancelAll(reason);
    for (const each of dispatchers) each.cancelAll(reason);
    await idle();
  }
}

interface Draining {
  readonly invocations: Invocations;
  readonly dispatchers: readonly Dispatcher[];
}

/** Builds the default image at the first start; without it, functions that name another image still run. */
async function prepareImage(images: ImageStore, log: Logger): Promise<void> {
  let phase = "";
  try {
    await images.ensureDefault({
      onProgress: (progress) => {
        if (progress.phase !== phase) log.info(progress, "building the default image");
        phase = progress.phase;
      },
    });
  } catch (error) {
    log.warn({ error: messageOf(error) }, "no default image; functions with image host still run");
  }
}

/** Runs a server until a signal ends it. */
export async function serveUntilSignal(config: Config): Promise<void> {
  const log = createLog(config.logLevel);
  const ended = Promise.withResolvers<void>();
  // Not `once`: libraries that clean up at a signal end the process where they see no listener but their own.
  process.on("SIGTERM", ended.resolve);
  process.on("SIGINT", ended.resolve);
  await using _server = await startServer(config, log);
  await ended.promise;
  log.info("shutting down");
}

if (import.meta.main) {
  try {
    await serveUntilSignal(loadConfig(process.env));
  } catch (error) {
    process.stderr.write(`error: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}
