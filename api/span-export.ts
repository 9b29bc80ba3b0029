import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { BatchSpanProcessor, type SpanProcessor } from "@opentelemetry/sdk-trace-base";
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from "@opentelemetry/semantic-conventions";
import type { Logger } from "pino";
import packageJson from "../package.json" with { type: "json" };

/** How long a collector is asked to take spans before they are dropped; it also bounds how long a server's end waits. */
const timeoutMs = 3_000;

/** What spans are of: this service, under the names that `OTEL_*` variables give it. */
export function serviceResource(): Resource {
  const own = { [ATTR_SERVICE_NAME]: "runlet", [ATTR_SERVICE_VERSION]: packageJson.version };
  return defaultResource()
    .merge(resourceFromAttributes(own))
    .merge(detectResources({ detectors: [envDetector] }));
}

/** Sends spans to a collector by OTLP over HTTP, many at once; those that it does not take in time are dropped. */
export function spanProcessor(endpoint: string, log: Logger): SpanProcessor {
  return new BatchSpanProcessor(new ToldExporter(endpoint, log));
}

/** Tells the log when a collector begins and ceases to fail. */
class ToldExporter extends OTLPTraceExporter {
  readonly #log: Logger;
  #isFailing = false;

  constructor(endpoint: string, log: Logger) {
    super({ url: `${endpoint.replace(/\/$/, "")}/v1/traces`, timeoutMillis: timeoutMs });
    this.#log = log;
  }

  override export(...[spans, onResult]: Parameters<OTLPTraceExporter["export"]>): void {
    super.export(spans, (result) => {
      const { error } = result;
      if (error !== undefined && !this.#isFailing) {
        this.#log.warn({ error: error.message }, "traces cannot be sent, and are dropped");
      }
      if (error === undefined && this.#isFailing) this.#log.info("traces are sent again");
      this.#isFailing = error !== undefined;
      onResult(result);
    });
  }
}
