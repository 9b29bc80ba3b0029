import * as fc from "fast-check";
import type { Json, Media } from "../support/api-document.ts";
import { broken, fitting } from "./arbitrary.ts";

/** An operation of the document as it is written there. */
export interface Described {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: "path" | "query" | "header";
    readonly required?: boolean;
    readonly schema?: Json;
  }[];
  readonly content: Readonly<Record<string, Media>>;
}

/** A request as it goes over the wire. */
export interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

const oddTexts = ["", "..", "%2e%2e", "a/b", "a:b", "$LATEST", "\u0000", "ü", "x".repeat(300), "'"];

/** Requests for an operation, good and broken; `known` are names and ids that there are. */
export function requestsFor(
  { method, path, parameters, content }: Described,
  schemas: Readonly<Record<string, Json>>,
  known: readonly string[],
): fc.Arbitrary<Sent> {
  const valueOf = (schema: Json = {}): fc.Arbitrary<string> =>
    fc.oneof(
      { weight: 5, arbitrary: fitting(schema, schemas).map(textOf) },
      { weight: 2, arbitrary: fc.constantFrom(...oddTexts) },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
    );
  const placed = (place: string): fc.Arbitrary<Record<string, string>> => {
    const own = parameters.filter((each) => each.in === place);
    const model = own.map(({ name, schema }): [string, fc.Arbitrary<string>] => [
      name,
      place === "path"
        ? fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...known) }, valueOf(schema))
        : valueOf(schema),
    ]);
    const requiredKeys = own.filter((each) => each.required || place === "path");
    return fc.record(Object.fromEntries(model), {
      requiredKeys: requiredKeys.map(({ name }) => name),
    }) as fc.Arbitrary<Record<string, string>>;
  };
  return fc
    .tuple(placed("path"), placed("query"), placed("header"), bodyOf(content, schemas))
    .map(([inPath, inQuery, inHeader, { type, body }]) => {
      const query = new URLSearchParams(inQuery).toString();
      const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
        encoded(inPath[name] ?? ""),
      );
      const headers = Object.entries(inHeader).map(([name, text]) => [name, sendable(text)]);
      return {
        method,
        path: query === "" ? target : `${target}?${query}`,
        headers: {
          ...(Object.fromEntries(headers) as Record<string, string>),
          ...(type !== undefined && { "content-type": type }),
        },
        body,
      };
    });
}

function bodyOf(
  content: Readonly<Record<string, Media>>,
  schemas: Readonly<Record<string, Json>>,
): fc.Arbitrary<{ type?: string; body: string | undefined }> {
  const none = fc.constant({ body: undefined });
  const media = Object.entries(content);
  if (media.length === 0) return none;
  const written = media.map(([type, { schema }]) => {
    if (!type.includes("json"))
      return fc.string({ unit: "binary" }).map((body) => ({ type, body }));
    const good = fitting(schema ?? {}, schemas);
    return fc.oneof(
      { weight: 3, arbitrary: good.map((value) => ({ type, body: JSON.stringify(value) })) },
      {
        weight: 2,
        arbitrary: broken(good).map((value) => ({ type, body: JSON.stringify(value) })),
      },
      { weight: 1, arbitrary: fc.string().map((body) => ({ type, body })) },
    );
  });
  const elsewhere = fc.string().map((body) => ({ type: "text/plain; charset=utf-9", body }));
  return fc.oneof({ weight: 8, arbitrary: fc.oneof(...written) }, elsewhere, none);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

/** As a segment of a path; half of a pair is none that can be sent. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** What of a text HTTP lets stand in a header. */
function sendable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "").trim();
}
