import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";

export type Json = Record<string, unknown>;

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
}

export interface Media {
  readonly schema?: Json;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

export interface Operation {
  readonly operationId?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly security?: readonly { readonly key?: readonly string[] }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<
    Record<
      string,
      { readonly content?: Readonly<Record<string, Media>>; readonly headers?: Readonly<Json> }
    >
  >;
}

interface Document {
  readonly tags: readonly { readonly name: string }[];
  readonly components: { readonly schemas: Readonly<Record<string, Json>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** An OpenAPI document to hold requests and answers against. */
export class ApiDocument {
  /** Each operation by its method and path, such as `GET /v1/functions/{name}`. */
  readonly operations: ReadonlyMap<string, Operation>;
  /** What the operations may be about. */
  readonly tags: readonly string[];
  readonly #schemas: Readonly<Record<string, Json>>;
  readonly #ajv = new Ajv2020({ allErrors: true, strictTypes: false });

  constructor(document: unknown) {
    // The package's types do not see that a module of CommonJS is its own export.
    (formats as unknown as (ajv: Ajv2020) => void)(this.#ajv);
    this.#ajv.addKeyword("example");
    const text = JSON.stringify(document).replaceAll("#/components/schemas/", "");
    const { paths, components, tags } = JSON.parse(text) as Document;
    this.tags = tags.map(({ name }) => name);
    this.#schemas = components.schemas;
    for (const [name, schema] of Object.entries(components.schemas)) {
      // Others may be made of it: it is closed where it is referred to.
      this.#ajv.addSchema(closing(schema, true) as Json, name);
    }
    this.operations = new Map(
      Object.entries(closing(paths) as Document["paths"]).flatMap(([path, operations]) =>
        Object.entries(operations).map(([method, operation]) => [
          `${method.toUpperCase()} ${path}`,
          operation,
        ]),
      ),
    );
  }

  /** The name of the operation that a request is for; a path in words goes before one with a parameter. */
  operationOf(method: string, path: string): string | undefined {
    const fitting = [...this.operations.keys()].filter((name) => {
      const [of, template = ""] = name.split(" ");
      const pattern = template.replaceAll(/\{\w+\}/g, "[^/]+");
      return of === method && new RegExp(`^${pattern}$`).test(path);
    });
    return fitting.toSorted((a, b) => a.split("{").length - b.split("{").length)[0];
  }

  /** The examples of a body: its own, or the one of its schema. */
  examplesOf({ example, examples, schema }: Media): unknown[] {
    if (examples !== undefined) return Object.values(examples).map(({ value }) => value);
    const own = example ?? this.#schemas[String(schema?.["$ref"])]?.["example"];
    return own === undefined ? [] : [own];
  }

  /** What is wrong with a value of a body; nothing, or a line for each breach. */
  breaches(media: Media | undefined, value: unknown): string[] {
    if (media?.schema === undefined) return [];
    const validate = this.#ajv.compile(media.schema);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  }
}

/** The scopes of which an operation needs one; none where it is open to anybody. */
export function neededBy({ security = [] }: Operation): string[] {
  return security.flatMap(({ key = [] }) => key);
}

/** The document with each of its objects closed: a field that it does not name is a breach. */
function closing(node: unknown, isMember = false): unknown {
  if (Array.isArray(node)) return node.map((each) => closing(each));
  if (typeof node !== "object" || node === null) return node;
  const closed = Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === "allOf" && Array.isArray(value)
        ? value.map((each) => closing(each, true))
        : ["example", "examples", "default"].includes(key)
          ? value
          : closing(value),
    ]),
  );
  const isObject = "$ref" in node || "allOf" in node || ("properties" in node && "type" in node);
  return isObject && !isMember && !("additionalProperties" in node)
    ? { ...closed, unevaluatedProperties: false }
    : closed;
}
