/** Tells whether a `Prefer` header (RFC 7240) asks not to wait for the answer. */
export function prefersAsync(header: string | undefined): boolean {
  if (header === undefined) return false;
  return header.split(",").some((preference) => {
    const [name = ""] = preference.split(";", 1);
    return name.trim().toLowerCase() === "respond-async";
  });
}
