import { type Receiver, startReceiver } from "./receiver.ts";

/** A span as a collector was told of it. */
export interface Span {
  readonly name: string;
  readonly kind: "internal" | "server" | "client" | "producer" | "consumer";
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly startUs: number;
  readonly endUs: number;
  readonly isError: boolean;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** What it is of: its attributes name the service. */
  readonly resource: Readonly<Record<string, unknown>>;
}

/** A collector of OpenTelemetry that keeps what it is sent by OTLP over HTTP. */
export interface Collector extends AsyncDisposable {
  readonly url: string;
  spans(): Span[];
  /** All that it was sent, as it came. */
  text(): string;
}

/** Starts a collector on a free port of the loopback. */
export async function startCollector(): Promise<Collector> {
  const receiver: Receiver = await startReceiver(() => ({ status: 200 }));
  return {
    url: receiver.url,
    spans: () =>
      receiver.received.flatMap(({ path, body }) => {
        if (path !== "/v1/traces") throw new Error(`Spans were sent to ${path}`);
        return spansIn(JSON.parse(body) as TraceExport);
      }),
    text: () => receiver.received.map(({ body }) => body).join("\n"),
    [Symbol.asyncDispose]: async () => await receiver[Symbol.asyncDispose](),
  };
}

type KeyValues = readonly { key: string; value: Record<string, unknown> }[];

/** What of OTLP's JSON is read here. */
interface TraceExport {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: KeyValues };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Pick<Span, "name" | "traceId" | "spanId" | "parentSpanId"> & {
        readonly kind: number;
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
        readonly attributes: KeyValues;
        readonly status: { readonly code: number };
      })[];
    }[];
  }[];
}

const kinds = ["internal", "internal", "server", "client", "producer", "consumer"] as const;

function spansIn({ resourceSpans }: TraceExport): Span[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map(({ kind, startTimeUnixNano, endTimeUnixNano, attributes, status, ...span }) => ({
        ...span,
        kind: kinds[kind] ?? "internal",
        startUs: Number(startTimeUnixNano) / 1000,
        endUs: Number(endTimeUnixNano) / 1000,
        isError: status.code === 2,
        attributes: recordOf(attributes),
        resource: recordOf(resource.attributes),
      })),
  );
}

function recordOf(pairs: KeyValues): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]));
}
