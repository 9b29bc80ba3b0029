import * as fc from "fast-check";
import type { Json } from "../support/api-document.ts";

const maxDepth = 4;

/** What fits a JSON schema, mostly; `schemas` are those that it may refer to by name. */
export function fitting(
  schema: Json,
  schemas: Readonly<Record<string, Json>>,
  depth = 0,
): fc.Arbitrary<unknown> {
  const { $ref, allOf, anyOf, oneOf, enum: values, type } = schema;
  const below = (inner: unknown): fc.Arbitrary<unknown> =>
    fitting((inner ?? {}) as Json, schemas, depth + 1);
  if (typeof $ref === "string") return below(schemas[$ref.split("/").at(-1) ?? ""]);
  if ("const" in schema) return fc.constant(schema["const"]);
  if (Array.isArray(values)) return fc.constantFrom(...(values as unknown[]));
  const choices = anyOf ?? oneOf;
  if (Array.isArray(choices)) return fc.oneof(...choices.map(below));
  if (Array.isArray(allOf)) return fc.tuple(...allOf.map(below)).map((parts) => merged(parts));
  if (Array.isArray(type)) {
    return fc.oneof(...(type as string[]).map((each) => below({ ...schema, type: each })));
  }
  return typed(schema, below, depth);
}

function typed(
  schema: Json,
  below: (inner: unknown) => fc.Arbitrary<unknown>,
  depth: number,
): fc.Arbitrary<unknown> {
  switch (schema["type"]) {
    case "object":
      return objectOf(schema, below, depth);
    case "array": {
      const most = Math.min(Number(schema["maxItems"] ?? 3), 3);
      const least = Math.min(Number(schema["minItems"] ?? 0), most);
      return fc.array(below(schema["items"]), { minLength: least, maxLength: most });
    }
    case "integer":
    case "number":
      return numberOf(schema);
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "string":
      return stringOf(schema);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

/** What does not fit: anything at all, or what fits with one of its parts exchanged. */
export function broken(good: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom<unknown>(null, [], {}, "", 0, -1, 1e308, 2 ** 53, "\u0000", "\ud800", "../.."),
    fc.integer({ min: 1, max: 4 }).map((count) => "x".repeat(10 ** count)),
  );
  const exchanged = fc.tuple(good, odd, fc.nat()).map(([value, other, at]) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return other;
    const keys = [...Object.keys(value), "__proto__x", "constructor"];
    return { ...value, [keys[at % keys.length] ?? ""]: other };
  });
  return fc.oneof(odd, exchanged);
}

function objectOf(
  schema: Json,
  below: (inner: unknown) => fc.Arbitrary<unknown>,
  depth: number,
): fc.Arbitrary<unknown> {
  const properties = (schema["properties"] ?? {}) as Readonly<Record<string, unknown>>;
  const required = new Set((schema["required"] ?? []) as string[]);
  const wanted = Object.keys(properties).filter((key) => required.has(key) || depth < maxDepth);
  const model = Object.fromEntries(wanted.map((key) => [key, below(properties[key])]));
  const requiredKeys = wanted.filter((key) => required.has(key));
  const known = fc.record(model, { requiredKeys }) as fc.Arbitrary<object>;
  const further = schema["additionalProperties"];
  if (typeof further !== "object" || further === null) return known;
  const extra = fc.dictionary(fc.stringMatching(/^[A-Za-z_]\w{0,8}$/), below(further), {
    maxKeys: 2,
  });
  return fc.tuple(known, extra).map((parts) => merged(parts));
}

function merged(parts: readonly unknown[]): object {
  return Object.assign({}, ...parts) as object;
}

/** Small ones more often: a time or a size that fits may still be more than a test can wait for. */
function numberOf(schema: Json): fc.Arbitrary<number> {
  const least = Number(schema["minimum"] ?? schema["exclusiveMinimum"] ?? -1_000_000);
  const most = Number(schema["maximum"] ?? Math.max(least, 1_000_000));
  if (schema["type"] === "number") return fc.double({ min: least, max: most, noNaN: true });
  const low = Math.ceil(least);
  const high = Math.max(low, Math.min(Math.floor(most), low + 5_000));
  return fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: low, max: high }) },
    { weight: 1, arbitrary: fc.constantFrom(low, Math.max(low, Math.floor(most))) },
  );
}

function stringOf(schema: Json): fc.Arbitrary<string> {
  const { pattern, format, example } = schema;
  const minLength = Number(schema["minLength"] ?? 0);
  const maxLength = Math.min(Number(schema["maxLength"] ?? 20), minLength + 20);
  const samples = typeof example === "string" ? [fc.constant(example)] : [];
  if (format === "uuid") return fc.oneof(fc.uuid(), ...samples);
  if (format === "uri") return fc.constantFrom("https://127.0.0.1:1/x", "http://localhost/", "a:b");
  if (typeof pattern === "string") {
    return fc.oneof(fc.stringMatching(new RegExp(pattern, "u")), ...samples);
  }
  return fc.oneof(fc.string({ unit: "binary", minLength, maxLength }), ...samples);
}
