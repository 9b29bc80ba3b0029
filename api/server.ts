import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { nowUs } from "../runtime/clock.ts";
import { within } from "../runtime/deadline.ts";
import { messageOf } from "../runtime/errors.ts";
import type { GuestTask } from "../runtime/guest/guest.ts";
import { ImageStore } from "../runtime/image/image-store.ts";
import { Installer } from "../runtime/build/installer.ts";
import { Machine } from "../runtime/machine.ts";
import { Pool } from "../runtime/pool/pool.ts";
import { Scheduler } from "../runtime/pool/scheduler.ts";
import { AliasStore } from "../store/aliases.ts";
import { RecordWriter } from "../store/batch.ts";
import { BuildStore } from "../store/builds.ts";
import { CodeStore } from "../store/code-store.ts";
import { ConcurrencyStore } from "../store/concurrency.ts";
import { openDatabase } from "../store/database.ts";
import { RecordedEventQueue } from "../store/event-queue.ts";
import { EventStore } from "../store/events.ts";
import { FunctionStore } from "../store/functions.ts";
import { IdempotencyKeyStore } from "../store/idempotency-keys.ts";
import { InvocationStatistics } from "../store/invocation-statistics.ts";
import { InvocationStore } from "../store/invocations.ts";
import { loadKeyFile } from "../store/key-file.ts";
import { lockDataDirectory } from "../store/lock.ts";
import { ScheduleStore } from "../store/schedules.ts";
import { SecretStore } from "../store/secrets.ts";
import { createApp } from "./app.ts";
import { codeRepository, scratchCode } from "./code-on-disk.ts";
import { type Config, loadConfig } from "./config.ts";
import { Aliases } from "./domain/aliases.ts";
import { Builder } from "./domain/build/builder.ts";
import { Concurrency } from "./domain/concurrency.ts";
import { attemptEvent, dispatchPolicyOf } from "./domain/events/attempt.ts";
import { DeadLetters } from "./domain/events/dead-letters.ts";
import { Callbacks } from "./domain/events/delivery/callbacks.ts";
import { deliver, deliveryConcurrency, deliveryPolicy } from "./domain/events/delivery/deliver.ts";
import { assertDestinations } from "./domain/events/destinations.ts";
import { Dispatcher } from "./domain/events/dispatcher.ts";
import { Events } from "./domain/events/events.ts";
import { followUpsOf } from "./domain/events/follow-ups.ts";
import { Executor } from "./domain/executor.ts";
import { Functions } from "./domain/functions.ts";
import { IdempotentInvoker } from "./domain/idempotency.ts";
import { Images } from "./domain/images.ts";
import { Invocations } from "./domain/invocations.ts";
import { Invoker } from "./domain/invoker.ts";
import { checkLoad } from "./domain/load-check.ts";
import { Logs } from "./domain/logs.ts";
import { OutputFeed } from "./domain/output-feed.ts";
import { poolClassOf } from "./domain/pool-class.ts";
import { handOver } from "./domain/schedules/hand-over.ts";
import { ScheduleClock } from "./domain/schedules/schedule-clock.ts";
import { Schedules } from "./domain/schedules/schedules.ts";
import { RateLimits } from "./domain/rate-limits.ts";
import { Secrets } from "./domain/secrets.ts";
import { Statistics } from "./domain/statistics.ts";
import { Stocking } from "./domain/stocking.ts";
import { Versions } from "./domain/versions.ts";
import { listen } from "./listener.ts";
import { createLog } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import type { Readiness } from "./routes/health.ts";

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
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  stack.use(lockDataDirectory(config.dataDir));
  const database = stack.use(openDatabase(join(config.dataDir, "runlet.db")));
  const writer = stack.use(new RecordWriter(database));
  const store = new InvocationStore(database);
  const lost = store.markLost(nowUs());
  if (lost > 0) log.warn({ lost }, "invocations of an earlier run were lost");

  const machine = stack.use(
    await Machine.open({
      stateDir: config.stateDir,
      runsc: config.runsc,
      platform: config.platform,
    }),
  );
  const limits = machine.missingLimits;
  if (limits.length > 0) log.warn({ limits }, "this host does not enforce these limits");
  const pool = stack.use(
    new Pool({
      machine,
      maxStarts: config.maxStarts,
      floor: config.poolFloor,
      maxMembers: config.poolMax,
      maxAgeMs: config.poolMaxAgeMs,
      maxRetired: config.maxConcurrency,
    }),
  );
  const imageStore = new ImageStore({ directory: config.imagesDir });
  const tasks = join(config.stateDir, "tasks");
  await mkdir(tasks, { recursive: true, mode: 0o711 });

  let isClosing = false;
  const readiness = { ready: false, reason: "starting" } as { ready: boolean; reason?: string };
  const onError = (error: unknown): void =>
    log.error({ error: messageOf(error) }, "background failure");
  const { maxConcurrency: concurrency, queueLimit, queueTimeoutMs, maxCodeBytes } = config;
  const scheduler = new Scheduler({
    concurrency,
    queueLimit,
    queueTimeoutMs,
    shareOfPlaces: 0.5,
    // Who waits for an answer finds a slot however many events there are.
    keptForCallers: 1,
  });
  const feed = new OutputFeed();
  const eventQueue = new RecordedEventQueue(new EventStore(database), writer);
  const metrics = createMetrics({ events: eventQueue, pool, scheduler });
  const invocations = new Invocations({
    store,
    feed,
    writer,
    scheduler,
    onError,
    onFinished: (record) => metrics.observe(record),
  });
  const functionStore = new FunctionStore(database);
  const codeStore = new CodeStore(join(config.dataDir, "code"));
  const builds = new BuildStore(database);
  const inUse = functionStore.codeDigestsInUse().union(builds.codeDigests());
  const pruned = await codeStore.prune(inUse);
  if (pruned > 0) log.info({ pruned }, "removed code that no function refers to");
  const code = codeRepository(codeStore);
  const secrets = new Secrets({
    store: new SecretStore(database, loadKeyFile(config.secretKeyFile)),
    usersOf: (name) => functions.namingSecret(name),
    onChange: (version) => void stocking.reload(version).catch(onError),
  });
  const callbacks = new Callbacks({ secrets, allowPrivate: config.allowPrivateCallbacks });
  const versions = new Versions(functionStore);
  const settings = new Concurrency({
    store: new ConcurrencyStore(database),
    versions,
    scheduler,
    slots: concurrency,
    onProvisioned: (name) => void stocking.provision(name).catch(onError),
  });
  const stocking = new Stocking({
    pool,
    images: imageStore,
    code,
    environmentOf: (functionConfig) => secrets.environmentOf(functionConfig),
    provisionedOf: (version) => settings.provisionedOf(version),
  });
  const scheduleStore = new ScheduleStore(database);
  const stockUp = (name: string): void =>
    void stocking.follow(name, functions.inUse(name)).catch(onError);
  const calledBy = (name: string, qualifier: string): string[] =>
    scheduleStore.naming(name, qualifier).map((schedule) => `schedule ${schedule}`);
  const aliases = new Aliases({
    store: new AliasStore(database),
    versions,
    dependents: calledBy,
    onChange: stockUp,
  });
  const builder = new Builder({
    installer: new Installer({ ...config.build, machine, sockets: tasks }),
    images: imageStore,
    invocations,
    code,
    store: builds,
  });
  const functions: Functions = new Functions({
    builder,
    onChange: (name) => {
      settings.refresh(name);
      stockUp(name);
    },
    store: functionStore,
    versions,
    aliases,
    code,
    maxCodeBytes,
    dependents: (name, version) =>
      version === undefined
        ? [
            ...scheduleStore
              .list({ functionName: name, limit: 10 })
              .map((schedule) => `schedule ${schedule.name}`),
            ...functionStore.namingDestination(name, 10).map((other) => `function ${other}`),
          ]
        : calledBy(name, String(version)),
    checkDestinations: (name, { async }) => {
      const resolve = functions.resolve.bind(functions);
      assertDestinations(name, async, { callbacks, resolve });
    },
    check: async (version, signal = AbortSignal.timeout(60_000)) => {
      secrets.environmentOf(version.config);
      if (version.config.runtime === "command")
        return void (await imageStore.get(version.config.image));
      const poolClass = await poolClassOf(version.config, imageStore);
      const task = async (): Promise<GuestTask> => await stocking.task(version);
      await checkLoad({ pool, poolClass, task, signal, limits: version.config }, version.name);
    },
  });
  const invoker = new Invoker({
    functions,
    invocations,
    machine,
    pool,
    images: imageStore,
    code,
    stocking,
    secrets,
    concurrency: settings,
    rateLimits: new RateLimits(),
    queue: { queueLimit, queueTimeoutMs },
    maxStreamBytes: config.maxStreamBytes,
    maxEventBytes: config.maxEventBytes,
  });
  const deliveries = new Dispatcher({
    queue: eventQueue,
    kind: "deliver",
    attempt: async (event, signal) => await deliver(callbacks, event, signal),
    policyOf: () => deliveryPolicy,
    concurrency: () => deliveryConcurrency,
    onError,
  });
  const dispatcher = new Dispatcher({
    queue: eventQueue,
    kind: "invoke",
    attempt: async (event, signal) => await attemptEvent(invoker, event, signal),
    followUpsOf: (ended) =>
      followUpsOf(ended, dispatchPolicyOf(functions, ended.event.functionName).async, (id) =>
        invocations.versionOf(id),
      ),
    onFollowUp: () => deliveries.wake(),
    policyOf: (name) => dispatchPolicyOf(functions, name, settings.reserved.get(name)),
    concurrency: () => Math.max(1, scheduler.unreserved - 1),
    reserved: () => settings.reserved,
    onError,
  });
  const dispatchers = [dispatcher, deliveries];
  const events = new Events({
    queue: eventQueue,
    functions,
    invocations,
    callbacks,
    maxEventBytes: config.maxAsyncEventBytes,
    onAccepted: () => dispatcher.wake(),
  });
  const clock = stack.use(
    new ScheduleClock({
      store: scheduleStore,
      dispatch: handOver(events, settings),
      onMissed: ({ name, missedCount, runAtUs }) =>
        log.warn(
          { schedule: name, missed: missedCount, runsNow: runAtUs !== null },
          "due times of a schedule passed without a run",
        ),
      onError,
    }),
  );
  const app = createApp({
    functions,
    versions,
    aliases,
    concurrency: settings,
    invocations,
    logs: new Logs({ functions, invocations, feed }),
    statistics: new Statistics({ functions, store: new InvocationStatistics(database) }),
    invoker,
    idempotentInvoker: new IdempotentInvoker({
      store: new IdempotencyKeyStore(database),
      functions,
      invoker,
    }),
    events,
    deadLetters: new DeadLetters({
      queue: eventQueue,
      invocations,
      onQueued: () => dispatchers.forEach((each) => each.wake()),
    }),
    executor: new Executor({
      invocations,
      machine,
      images: imageStore,
      scratch: scratchCode(tasks),
      maxCodeBytes,
    }),
    secrets,
    images: new Images({ store: imageStore, uploads: tasks }),
    schedules: new Schedules({ store: scheduleStore, functions, concurrency: settings, clock }),
    readiness: () => readinessOf(readiness, pool),
    isClosing: () => isClosing,
    metrics: metrics.registry,
    log,
    maxEventBytes: config.maxEventBytes,
    maxStreamedRequestBytes: config.maxStreamedRequestBytes,
    maxCodeBytes,
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
    feed[Symbol.dispose]();
    await within(closed, "send the last answers", lastAnswersMs).catch(() => listener.cut());
    await closed;
  });
  await prepareImage(imageStore, log);
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
