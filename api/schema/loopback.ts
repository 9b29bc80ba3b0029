/** Tells whether the name or the address of a host, with a port or without, is one that this machine alone reaches. */
export function isLoopback(host: string): boolean {
  const isAddress = host.includes("::") && !host.startsWith("[");
  // URLs write each address in one way; what is more than a host is none.
  if (/[^\w.:[\]-]/.test(host)) return false;
  const name = URL.parse(`http://${isAddress ? `[${host}]` : host}`)?.hostname ?? "";
  return /^(?:(?:.+\.)?localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(name);
}
