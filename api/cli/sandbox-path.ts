/** A path of a sandbox as it is typed, `ID:path`; one of this machine is undefined. */
export function sandboxPathOf(text: string): { id: string; path: string } | undefined {
  const [, id, path] = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(.*)$/s.exec(text) ?? [];
  return id === undefined ? undefined : { id, path: path || "." };
}
