import type { Logger } from "pino";
import { Installer } from "../runtime/build/installer.ts";
import type { GuestTask } from "../runtime/guest/guest.ts";
import { AliasStore } from "../store/aliases.ts";
import { ConcurrencyStore } from "../store/concurrency.ts";
import { IdempotencyKeyStore } from "../store/idempotency-keys.ts";
import { InvocationStatistics } from "../store/invocation-statistics.ts";
import type { EventKind } from "../store/event-row.ts";
import { KeyStore } from "../store/keys.ts";
import { loadKeyFile } from "../store/key-file.ts";
import { ScheduleStore } from "../store/schedules.ts";
import { SecretStore } from "../store/secrets.ts";
import type { AppServices } from "./app.ts";
import { scratchCode } from "./code-on-disk.ts";
import type { Config } from "./config.ts";
import type { Containers } from "./containers.ts";
import { Aliases } from "./domain/aliases.ts";
import { Builder } from "./domain/build/builder.ts";
import { Concurrency } from "./domain/concurrency.ts";
import { attemptEvent, dispatchPolicyOf } from "./domain/events/attempt.ts";
import { DeadLetters } from "./domain/events/dead-letters.ts";
import { Callbacks } from "./domain/events/delivery/callbacks.ts";
import { deliver, deliveryConcurrency, deliveryPolicy } from "./domain/events/delivery/deliver.ts";
import { assertDestinations } from "./domain/events/destinations.ts";
import { type AttemptOutcome, Dispatcher } from "./domain/events/dispatcher.ts";
import { Events } from "./domain/events/events.ts";
import { followUpsOf } from "./domain/events/follow-ups.ts";
import { Executor } from "./domain/executor.ts";
import { Functions } from "./domain/functions.ts";
import { Gates } from "./domain/gates.ts";
import { IdempotentInvoker } from "./domain/idempotency.ts";
import { Images } from "./domain/images.ts";
import { Invocations } from "./domain/invocations.ts";
import { type Answer, Invoker } from "./domain/invoker.ts";
import { checkLoad } from "./domain/load-check.ts";
import { Keys } from "./domain/keys/keys.ts";
import { Logs } from "./domain/logs.ts";
import type { OnError } from "./domain/on-error.ts";
import { OutputFeed } from "./domain/output-feed.ts";
import { poolClassOf } from "./domain/pool-class.ts";
import { RateLimits } from "./domain/rate-limits.ts";
import { handOver } from "./domain/schedules/hand-over.ts";
import { ScheduleClock } from "./domain/schedules/schedule-clock.ts";
import { Schedules } from "./domain/schedules/schedules.ts";
import { Commands } from "./domain/sandboxes/commands.ts";
import { Retention } from "./domain/retention.ts";
import { SandboxEvents } from "./domain/sandboxes/events.ts";
import { WebhookRelay } from "./domain/webhooks/relay.ts";
import { Webhooks } from "./domain/webhooks/webhooks.ts";
import { WebhookStore } from "../store/webhooks.ts";
import { Contexts } from "./domain/sandboxes/contexts.ts";
import { Copies } from "./domain/sandboxes/copies.ts";
import { Sandboxes } from "./domain/sandboxes/sandboxes.ts";
import { Snapshots } from "./domain/sandboxes/snapshots.ts";
import { Secrets } from "./domain/secrets.ts";
import { Statistics } from "./domain/statistics.ts";
import { Stocking } from "./domain/stocking.ts";
import { Versions } from "./domain/versions.ts";
import type { Records } from "./records.ts";
import { logText } from "./routes/problem.ts";
import type { Invocation } from "./schema/invocation.ts";
import type { Tracing } from "./tracing.ts";

/** The parts of a server that know what a function is. */
export interface Services extends AppServices {
  /** Whoever runs what nobody waits for. */
  readonly dispatchers: readonly Dispatcher[];
  readonly clock: ScheduleClock;
  readonly feed: OutputFeed;
  /** Removes from the record what is old. */
  readonly retention: Retention;
  /** Queues what webhooks are told. */
  readonly relay: WebhookRelay;
  /** Has the pool hold what a function's calls will need. */
  readonly stockUp: (functionName: string) => void;
}

export interface ServicesOptions {
  config: Config;
  log: Logger;
  records: Records;
  containers: Containers;
  /** Told of each invocation once it is on record. */
  onFinished: (record: Invocation) => void;
  /** Told how each attempt at an event ended. */
  onAttempt: (kind: EventKind, outcome: AttemptOutcome) => void;
  /** Where what happens is traced, if it is. */
  tracing: Tracing | undefined;
}

/** Joins the domain with what is on record and with the containers; nothing of it has begun yet. */
export function createServices(options: ServicesOptions): Services {
  const { config, log, records, containers, onFinished, onAttempt, tracing } = options;
  const { database, writer, code } = records;
  const { machine, pool, images, scheduler } = containers;
  const { tasks } = machine;
  const { maxConcurrency: concurrency, queueLimit, queueTimeoutMs, maxCodeBytes } = config;
  const onError: OnError = (error, about) =>
    log.error({ ...about, error: logText(error) }, "background failure");
  const failedFor =
    (functionName: string) =>
    (error: unknown): void =>
      onError(error, { functionName });
  const feed = new OutputFeed();
  const invocations = new Invocations({
    store: records.invocations,
    feed,
    writer,
    scheduler,
    onError,
    onFinished,
  });
  const webhookStore = new WebhookStore(database);
  const secrets = new Secrets({
    store: new SecretStore(database, loadKeyFile(config.secretKeyFile)),
    usersOf: (name) => functions.namingSecret(name),
    webhooksOf: (name) => webhookStore.namingSecret(name),
    onChange: (version) => void stocking.reload(version).catch(failedFor(version.name)),
  });
  const idempotencyStore = new IdempotencyKeyStore(database);
  const keys = new Keys({ store: new KeyStore(database), onError });
  const callbacks = new Callbacks({ secrets, allowPrivate: config.allowPrivateCallbacks });
  const versions = new Versions(records.functions);
  const settings = new Concurrency({
    store: new ConcurrencyStore(database),
    versions,
    scheduler,
    slots: concurrency,
    onProvisioned: (name) => void stocking.provision(name).catch(failedFor(name)),
  });
  if (!settings.hasUnreserved) {
    const told = { reserved: Object.fromEntries(settings.reserved), slots: concurrency };
    const why = "functions without a reservation cannot run: no container slot is left to them";
    log.warn(told, `${why}. Start with a larger RUNLET_MAX_CONCURRENCY, or reserve less`);
  }
  const stocking = new Stocking({
    pool,
    images,
    code,
    environmentOf: (functionConfig) => secrets.environmentOf(functionConfig),
    provisionedOf: (version) => settings.provisionedOf(version),
  });
  const scheduleStore = new ScheduleStore(database);
  const stockUp = (name: string): void =>
    void stocking.follow(name, functions.inUse(name)).catch(failedFor(name));
  const namedBy = (target: string): string[] =>
    records.functions.namingDestination(target, 10).map((other) => `function ${other}`);
  const calledBy = (name: string, qualifier: string): string[] => [
    ...scheduleStore.naming(name, qualifier).map((schedule) => `schedule ${schedule}`),
    ...namedBy(`${name}:${qualifier}`),
  ];
  const aliases = new Aliases({
    store: new AliasStore(database),
    versions,
    dependents: calledBy,
    onChange: stockUp,
  });
  const builder = new Builder({
    installer: new Installer({ ...config.build, machine, sockets: tasks }),
    images,
    invocations,
    code,
    store: records.builds,
  });
  const functions: Functions = new Functions({
    builder,
    onChange: (name) => {
      settings.refresh(name);
      gates.refresh(name);
      stockUp(name);
    },
    store: records.functions,
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
            ...namedBy(name),
          ]
        : calledBy(name, String(version)),
    checkDestinations: (name, { async }) => {
      const resolve = functions.resolve.bind(functions);
      assertDestinations(name, async, { callbacks, resolve });
    },
    check: async (version, signal = AbortSignal.timeout(60_000)) => {
      secrets.environmentOf(version.config);
      if (version.config.runtime === "command")
        return void (await images.get(version.config.image));
      const poolClass = await poolClassOf(version.config, images);
      const task = async (): Promise<GuestTask> => await stocking.task(version);
      await checkLoad({ pool, poolClass, task, signal, limits: version.config }, version.name);
    },
  });
  const gates = new Gates({ functions, queue: { queueLimit, queueTimeoutMs } });
  const invoker = new Invoker({
    functions,
    invocations,
    machine,
    pool,
    images,
    code,
    stocking,
    secrets,
    concurrency: settings,
    rateLimits: new RateLimits(),
    gates,
    maxStreamBytes: config.maxStreamBytes,
    maxEventBytes: config.maxEventBytes,
  });
  const deliveries = new Dispatcher({
    queue: records.events,
    kind: "deliver",
    attempt: async (event, signal) => {
      if (tracing === undefined) return await deliver(callbacks, event, { signal });
      const send = async (spanId: string): Promise<void> =>
        await deliver(callbacks, event, { signal, spanId });
      await tracing.delivery(event, send);
    },
    policyOf: () => deliveryPolicy,
    concurrency: () => deliveryConcurrency,
    onAttempt,
    onError,
  });
  const dispatcher = new Dispatcher({
    queue: records.events,
    kind: "invoke",
    attempt: async (event, signal) => {
      const run = async (): Promise<Answer> => await attemptEvent(invoker, event, signal);
      return await (tracing === undefined ? run() : tracing.attempt(event, run));
    },
    followUpsOf: (ended) =>
      followUpsOf(ended, dispatchPolicyOf(functions, ended.event.functionName).async, (id) =>
        invocations.versionOf(id),
      ),
    onFollowUp: (followUps, ended) => {
      for (const event of followUps) tracing?.queued(event, ended);
      deliveries.wake();
    },
    policyOf: (name) => dispatchPolicyOf(functions, name, settings.reserved.get(name)),
    concurrency: () => Math.max(1, scheduler.unreserved - 1),
    reserved: () => settings.reserved,
    onAttempt,
    onError,
  });
  const dispatchers = [dispatcher, deliveries];
  const events = new Events({
    queue: records.events,
    functions,
    invocations,
    callbacks,
    maxEventBytes: config.maxAsyncEventBytes,
    onAccepted: (event) => {
      tracing?.queued(event);
      dispatcher.wake();
    },
  });
  const clock = new ScheduleClock({
    store: scheduleStore,
    dispatch: handOver(events, settings),
    onMissed: ({ name, missedCount, runAtUs }) =>
      log.warn(
        { schedule: name, missed: missedCount, runsNow: runAtUs !== null },
        "due times of a schedule passed without a run",
      ),
    onError,
  });
  const sandboxes = new Sandboxes({
    store: records.sandboxes,
    stocks: containers.stocks,
    images,
    networks: machine.networks,
    maxSandboxes: config.maxSandboxes,
    maxMemoryBytes: config.maxSandboxMemoryBytes,
    limitsOf: (keyId) => keys.limitsOf(keyId),
    onError,
  });
  const commands = new Commands({ sandboxes, store: records.sandboxes, onError });
  const hooked = { store: webhookStore, sandboxes: records.sandboxes, queue: records.events };
  const onQueued = (): void => deliveries.wake();
  const snapshots = new Snapshots({
    store: records.snapshots,
    checkpoints: containers.checkpoints,
    machine,
    sandboxes,
    copies: new Copies({ machine, sandboxes, commands, maxStarts: config.maxStarts }),
    maxSnapshots: config.maxSnapshots,
    maxBytes: config.maxSnapshotBytes,
  });
  return {
    sandboxes,
    sandboxEvents: new SandboxEvents(records.sandboxes, sandboxes),
    webhooks: new Webhooks({ ...hooked, writer, callbacks }),
    retention: new Retention({
      database,
      endings: [
        {
          oldestUs: () => records.invocations.oldestUs(),
          prune: (olderThanUs, limit) => records.invocations.prune({ olderThanUs, limit }),
        },
        records.sandboxes,
        {
          oldestUs: () => records.eventStore.oldestUs(),
          prune: (endedBeforeUs, limit) => records.eventStore.pruneEnded(endedBeforeUs, limit),
        },
      ],
      expiring: idempotencyStore,
      pruneKeys: (beforeUs) => keys.prune(beforeUs),
      waitingBytes: () => records.eventStore.waitingBytes(),
      maxAgeMs: config.maxRecordAgeMs,
      maxBytes: config.maxRecordBytes,
      onError,
    }),
    relay: new WebhookRelay({ ...hooked, onQueued, onError }),
    commands,
    contexts: new Contexts(sandboxes),
    snapshots,
    functions,
    versions,
    aliases,
    concurrency: settings,
    invocations,
    logs: new Logs({ functions, invocations, feed }),
    statistics: new Statistics({ functions, store: new InvocationStatistics(database) }),
    invoker,
    idempotentInvoker: new IdempotentInvoker({
      store: idempotencyStore,
      writer,
      functions,
      invoker,
      events,
    }),
    events,
    deadLetters: new DeadLetters({
      queue: records.events,
      invocations,
      onQueued: () => dispatchers.forEach((each) => each.wake()),
    }),
    executor: new Executor({
      invocations,
      machine,
      images: images,
      scratch: scratchCode(tasks),
      maxCodeBytes,
    }),
    secrets,
    keys,
    images: new Images({
      store: images,
      uploads: tasks,
      neededBy: (name) => snapshots.needing(name),
    }),
    schedules: new Schedules({ store: scheduleStore, functions, concurrency: settings, clock }),
    dispatchers,
    clock,
    feed,
    stockUp,
  };
}
