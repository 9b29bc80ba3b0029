interface Outcome {
  readonly code?: string | undefined;
  readonly stderr?: string | undefined;
  readonly shortMessage?: string | undefined;
}

/** Why a program could not be used, in one line. */
export function reasonOf(program: string, { code, stderr, shortMessage }: Outcome): string {
  if (code === "ENOENT") return `${program} is not installed`;
  const lines = (stderr ?? "").split("\n").filter((line) => line.trim() !== "");
  const said = lines.findLast((line) => !isHint(line)) || shortMessage || "it told no reason";
  return `${program} does not work: ${said}`;
}

/** What docker says last is where to read on. */
function isHint(line: string): boolean {
  return /^Run '.*' for more information/.test(line) || line.startsWith("See '");
}
