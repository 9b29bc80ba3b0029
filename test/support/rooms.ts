import { dirname, join, normalize } from "node:path";

/** The text of each file by its path from the root of the tree. */
export type Sources = ReadonlyMap<string, string>;

interface Room {
  readonly files: RegExp;
  /** What a file of this room may import besides its own room; undefined means anything but tests. */
  readonly mayImport: readonly RegExp[] | undefined;
  readonly rule: string;
}

const schema = /^api\/schema\//;

/** The first room that matches a file is the one it belongs to. */
const rooms: readonly Room[] = [
  { files: /^runtime\//, mayImport: [], rule: "runtime/ imports nothing of store/ and api/" },
  { files: /^store\//, mayImport: [], rule: "store/ imports nothing of runtime/ and api/" },
  {
    files: /^api\/domain\//,
    mayImport: [/^runtime\//, /^store\//, schema],
    rule: "api/domain/ sees only runtime/, store/ and the wire schema",
  },
  { files: schema, mayImport: [], rule: "api/schema/ describes the wire and imports nothing" },
  {
    files: /^api\/cli\/(commands\/)?(serve|config|backup|doctor|quickstart)[^/]*$/,
    mayImport: undefined,
    rule: "these commands compose",
  },
  {
    files: /^api\/client\//,
    mayImport: [schema],
    rule: "api/client/ sees only the wire schema",
  },
  {
    files: /^api\/mcp\//,
    mayImport: [schema, /^api\/client\//],
    rule: "api/mcp/ sees only the wire schema and the client",
  },
  {
    files: /^api\/cli\//,
    mayImport: [schema, /^api\/client\//, /^api\/mcp\//],
    rule: "api/cli/ sees only the wire schema, the client and what speaks MCP with it",
  },
  {
    files: /^api\/\w+\//,
    mayImport: [/^api\/domain\//, schema],
    rule: "a face sees only api/domain/ and api/schema/",
  },
  { files: /^api\//, mayImport: undefined, rule: "the files of api/ itself compose" },
];

const importing =
  /^\s*(?:import|export)\b[^;'"]*?\bfrom\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;

/** The files of the tree that a file imports; packages are left out. */
export function importsOf(file: string, sources: Sources): string[] {
  return [...(sources.get(file) ?? "").matchAll(importing)]
    .map(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? "")
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => normalize(join(dirname(file), specifier)))
    .filter((target) => sources.has(target));
}

/** One line for each import that crosses a wall. */
export function breaches(sources: Sources): string[] {
  return [...sources.keys()].flatMap((file) => {
    const room = rooms.find(({ files }) => files.test(file));
    if (room === undefined) return [];
    return importsOf(file, sources)
      .filter((target) => !isAllowed(room, file, target))
      .map((target) => `${file} imports ${target}: ${room.rule}`);
  });
}

/** The files of one dependency cycle in order, or undefined where there is none. */
export function findCycle(sources: Sources): string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] | undefined => {
    const at = path.indexOf(file);
    if (at >= 0) return [...path.slice(at), file];
    if (done.has(file)) return undefined;
    for (const target of importsOf(file, sources)) {
      const cycle = visit(target, [...path, file]);
      if (cycle !== undefined) return cycle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of sources.keys()) {
    const cycle = visit(file, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function isAllowed(room: Room, file: string, target: string): boolean {
  if (/^(test|bench)\//.test(target)) return false;
  if (room.mayImport === undefined || folderOf(file) === folderOf(target)) return true;
  return room.mayImport.some((allowed) => allowed.test(target));
}

/** `runtime`, `store`, or a folder of api/ such as `api/cli`. */
function folderOf(file: string): string {
  const parts = dirname(file).split("/");
  return parts[0] === "api" ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
}
