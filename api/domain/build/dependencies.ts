import type { InstallRequest } from "../../../runtime/build/installer.ts";
import type { PackageManager } from "../../../runtime/build/package-managers.ts";
import type { FunctionSpec } from "../../schema/function.ts";
import type { CodeFile } from "../ports.ts";

/** What code depends on and does not bring along. */
export interface Dependencies extends Pick<InstallRequest, "isLocked" | "packages"> {
  readonly manager: PackageManager;
  /** The file that names them. */
  readonly manifest: string;
  /** What they are installed from: the manifests alone where these name no other file of the code. */
  readonly files: readonly CodeFile[];
  /** Whether some must be fetched. */
  readonly isRemote: boolean;
}

/** Tells what has to be installed for code; undefined where it brings all along, or needs nothing. */
export function dependenciesOf(
  files: readonly CodeFile[],
  runtime: FunctionSpec["runtime"],
): Dependencies | undefined {
  if (runtime === "node") return npmDependencies(files);
  return runtime === "python" ? pipDependencies(files) : undefined;
}

const npmLocks = ["package-lock.json", "npm-shrinkwrap.json"];
const npmFiles = new Set(["package.json", ".npmrc", ...npmLocks]);

function npmDependencies(files: readonly CodeFile[]): Dependencies | undefined {
  const manifest = "package.json";
  const text = textOf(files, manifest);
  if (text === undefined || has(files, "node_modules/")) return undefined;
  const specifiers = npmSpecifiers(text);
  if (specifiers.length === 0) return undefined;
  const hasLocal = specifiers.some(isLocalPackage) || /"workspaces"\s*:/.test(text);
  return {
    manager: "npm",
    manifest,
    files: hasLocal ? files : files.filter(({ path }) => npmFiles.has(path)),
    isLocked: npmLocks.some((path) => textOf(files, path) !== undefined),
    isRemote: !specifiers.every(isLocalPackage),
  };
}

function isLocalPackage(specifier: string): boolean {
  return /^(?:file:|link:|\.{1,2}\/)/.test(specifier);
}

/** How each package is asked for; what is no manifest is for node to refuse. */
function npmSpecifiers(text: string): string[] {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    return [];
  }
  const { dependencies, optionalDependencies } = Object(manifest) as Record<string, unknown>;
  return [dependencies, optionalDependencies].flatMap((group) =>
    Object.values(Object(group) as object).map(String),
  );
}

const wheelDirectories = ["wheels", "vendor/wheels"];

function pipDependencies(files: readonly CodeFile[]): Dependencies | undefined {
  const manifest = "requirements.txt";
  const lines = (textOf(files, manifest) ?? "")
    .split("\n")
    .map((line) => line.replace(/(?:^|\s)#.*/, "").trim())
    .filter((line) => line !== "");
  const isBrought = has(files, "python_packages/") || files.some(isInstalled);
  if (lines.length === 0 || isBrought) return undefined;
  const packages = wheelDirectories.find((directory) =>
    files.some(({ path }) => path.startsWith(`${directory}/`) && path.endsWith(".whl")),
  );
  // An option, a path or an address may name any file.
  const hasLocal = lines.some((line) => /^[-./]|[/\\]|\.whl$/.test(line));
  const isNeeded = ({ path }: CodeFile): boolean =>
    path === manifest || (packages !== undefined && path.startsWith(`${packages}/`));
  return {
    manager: "pip",
    manifest,
    files: hasLocal ? files : files.filter(isNeeded),
    isLocked: false,
    packages,
    isRemote: packages === undefined && !lines.every((line) => /^\.{0,2}\//.test(line)),
  };
}

/** Packages that were installed beside the code have their metadata there. */
function isInstalled({ path }: CodeFile): boolean {
  return /^[^/]+\.dist-info\//.test(path);
}

function has(files: readonly CodeFile[], prefix: string): boolean {
  return files.some(({ path }) => path.startsWith(prefix));
}

function textOf(files: readonly CodeFile[], path: string): string | undefined {
  const file = files.find((candidate) => candidate.path === path);
  return file && "bytes" in file ? Buffer.from(file.bytes).toString() : undefined;
}
