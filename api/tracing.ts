import { AsyncLocalStorage } from "node:async_hooks";
import {
  type Attributes,
  type Context,
  type HrTime,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import {
  BasicTracerProvider,
  type IdGenerator,
  RandomIdGenerator,
} from "@opentelemetry/sdk-trace-base";
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_SERVER_ADDRESS,
} from "@opentelemetry/semantic-conventions";
import type { Logger } from "pino";
import { nowUs } from "../runtime/clock.ts";
import { within } from "../runtime/deadline.ts";
import { messageOf } from "../runtime/errors.ts";
import type { EventRow, NewEvent } from "../store/event-row.ts";
import { spanIdOf, traceIdOf } from "../store/trace-id.ts";
import { asFailure } from "./domain/outcome.ts";
import { stagesOf } from "./domain/stages.ts";
import { parentSpanOf, type Trace } from "./domain/trace.ts";
import type { Invocation } from "./schema/invocation.ts";
import { serviceResource, spanProcessor } from "./span-export.ts";

/** How long the end of the server waits for the last spans to be taken. */
const lastSpansMs = 2_000;

/** A request that is being answered, as a span. */
export interface RequestSpan {
  readonly trace: Trace;
  /** Does the work of it, which invocations and events are then seen to come from. */
  run<T>(work: () => T): T;
  end(facts: { route: string | undefined; status: number; attributes: Attributes }): void;
}

/** What has happened, to be told as a span. */
interface Happening {
  readonly name: string;
  readonly kind?: SpanKind;
  readonly parent?: SpanContext | undefined;
  /** Ids that others know it by; any others where there are none. */
  readonly ids?: { readonly traceId: string; readonly spanId: string };
  readonly startUs: number;
  readonly endUs: number;
  readonly attributes: Attributes;
  readonly errorCode?: string | undefined;
}

/**
 * Tells a collector of requests, invocations and events, as spans of OpenTelemetry. Nothing that callers or code
 * wrote is in them: no event, output, message of an error, or path.
 *
 * The ids of spans follow from those on record, so that whoever runs later, or elsewhere, knows its parent.
 */
export class Tracing implements AsyncDisposable {
  readonly #provider: BasicTracerProvider;
  readonly #tracer: Tracer;
  readonly #ids = new KnownIds();
  readonly #causes = new AsyncLocalStorage<SpanContext>();
  readonly #log: Logger;

  constructor(endpoint: string, log: Logger) {
    this.#log = log;
    this.#provider = new BasicTracerProvider({
      resource: serviceResource(),
      idGenerator: this.#ids,
      spanProcessors: [spanProcessor(endpoint, log)],
    });
    this.#tracer = this.#provider.getTracer("runlet");
  }

  /** Begins the span of a request. */
  request(method: string, traceparent: string | undefined): RequestSpan {
    const caller = parentSpanOf(traceparent);
    const parent = caller && {
      ...spanOf(caller.id, caller.spanId, caller.isSampled),
      isRemote: true,
    };
    const span = this.#tracer.startSpan(
      method,
      {
        kind: SpanKind.SERVER,
        startTime: timeOf(nowUs()),
        attributes: { [ATTR_HTTP_REQUEST_METHOD]: method },
      },
      below(parent),
    );
    const own = span.spanContext();
    return {
      trace: { id: own.traceId, isSampled: (own.traceFlags & TraceFlags.SAMPLED) !== 0 },
      run: (work) => this.#causes.run(own, work),
      end({ route, status, attributes }): void {
        if (route !== undefined) span.updateName(`${method} ${route}`);
        span.setAttributes({
          ...attributes,
          ...(route !== undefined && { [ATTR_HTTP_ROUTE]: route }),
          [ATTR_HTTP_RESPONSE_STATUS_CODE]: status,
          ...(status >= 500 && { [ATTR_ERROR_TYPE]: String(status) }),
        });
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end(timeOf(nowUs()));
      },
    };
  }

  /** Tells of an invocation that has ended, with its stages. */
  invocation(record: Invocation): void {
    const { id, eventId, traceId, queuedAtUs, finishedAtUs = nowUs(), recordUs = 0 } = record;
    const queued = eventId === undefined ? undefined : spanOf(traceId, spanIdOf(eventId));
    const own = this.#tell({
      name: `${record.kind} ${record.functionName ?? record.runtime}`,
      kind: eventId === undefined ? SpanKind.INTERNAL : SpanKind.CONSUMER,
      parent: this.#causeOf(traceId) ?? queued,
      ids: { traceId, spanId: spanIdOf(id) },
      startUs: queuedAtUs,
      endUs: finishedAtUs + recordUs,
      attributes: attributesOf(record),
      errorCode: record.error?.code,
    });
    let atUs = queuedAtUs;
    for (const [name, us] of stagesOf(record)) {
      const startUs = name === "record" ? finishedAtUs : atUs;
      atUs = startUs + us;
      this.#tell({ name, parent: own, startUs, endUs: atUs, attributes: {} });
    }
  }

  /** Attempts an event; the invocation is then seen to come from it, and to be recorded if that is. */
  attempt<T>(event: EventRow, work: () => T): T {
    const traceId = event.traceId ?? traceIdOf(event.id);
    return this.#causes.run(spanOf(traceId, spanIdOf(event.id), event.isSampled), work);
  }

  /** Tells that an event was queued, for a request or for the end of another event. */
  queued(event: NewEvent, cause?: Pick<EventRow, "id">): void {
    const { isSampled } = event;
    const traceId = event.traceId ?? traceIdOf(event.id);
    this.#tell({
      name: `queue ${event.functionName}`,
      kind: SpanKind.PRODUCER,
      parent: cause ? spanOf(traceId, spanIdOf(cause.id), isSampled) : this.#causeOf(traceId),
      ids: { traceId, spanId: spanIdOf(event.id) },
      startUs: event.acceptedAtUs,
      endUs: nowUs(),
      attributes: {
        "runlet.event.id": event.id,
        "runlet.event.source": event.source,
        "runlet.function.name": event.functionName,
      },
    });
  }

  /** Makes a delivery under a span that its receiver is told of. @throws what `send` throws. */
  async delivery(event: EventRow, send: (spanId: string) => Promise<void>): Promise<void> {
    const startUs = nowUs();
    const spanId = this.#ids.generateSpanId();
    const { id, traceId, isSampled, attempts, callback } = event;
    const tell = (errorCode?: string): void =>
      void this.#tell({
        name: `deliver ${event.functionName}`,
        kind: SpanKind.CLIENT,
        // What no invocation led to was queued without a span.
        parent: traceId === null ? undefined : spanOf(traceId, spanIdOf(id), isSampled),
        ids: { traceId: traceId ?? traceIdOf(id), spanId },
        startUs,
        endUs: nowUs(),
        attributes: {
          "runlet.event.id": id,
          "runlet.event.attempt": attempts,
          [ATTR_SERVER_ADDRESS]: URL.parse(callback?.url ?? "")?.hostname,
        },
        errorCode,
      });
    try {
      await send(spanId);
      tell();
    } catch (error) {
      tell(asFailure(error).code);
      throw error;
    }
  }

  /** Has what is left sent, for a moment. */
  async [Symbol.asyncDispose](): Promise<void> {
    await within(this.#provider.shutdown(), "send the last traces", lastSpansMs).catch(
      (error: unknown) => this.#log.warn({ error: messageOf(error) }, "traces are lost"),
    );
  }

  /** The request or event that is being served; what was only woken by one belongs to another trace. */
  #causeOf(traceId: string): SpanContext | undefined {
    const cause = this.#causes.getStore();
    return cause?.traceId === traceId ? cause : undefined;
  }

  #tell(happening: Happening): SpanContext {
    const { name, kind = SpanKind.INTERNAL, parent, ids, attributes, errorCode } = happening;
    this.#ids.next = ids;
    const startTime = timeOf(happening.startUs);
    const span = this.#tracer.startSpan(name, { kind, attributes, startTime }, below(parent));
    this.#ids.next = undefined;
    if (errorCode !== undefined) {
      span.setAttribute(ATTR_ERROR_TYPE, errorCode).setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end(timeOf(happening.endUs));
    return span.spanContext();
  }
}

/** Gives a span ids that are known already. */
class KnownIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  next: Happening["ids"];

  generateTraceId(): string {
    return this.next?.traceId ?? this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return this.next?.spanId ?? this.#random.generateSpanId();
  }
}

function spanOf(traceId: string, spanId: string, isSampled = true): SpanContext {
  return { traceId, spanId, traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE };
}

function below(parent: SpanContext | undefined): Context {
  return parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
}

function timeOf(us: number): HrTime {
  return [Math.floor(us / 1_000_000), (us % 1_000_000) * 1000];
}

/** What is known of an invocation, under OpenTelemetry's names where it has any. */
function attributesOf(record: Invocation): Attributes {
  const { functionName, functionVersion } = record;
  return {
    "faas.invocation_id": record.id,
    "faas.name": functionName,
    "faas.version": functionVersion === undefined ? undefined : String(functionVersion),
    "faas.coldstart": record.start === "cold",
    "runlet.kind": record.kind,
    "runlet.runtime": record.runtime,
    "runlet.status": record.status,
    "runlet.start": record.start,
    "runlet.container.id": record.containerId,
    "runlet.exit.reason": record.exitReason,
    "runlet.event.id": record.eventId,
    "runlet.event.attempt": record.attempt,
  };
}
