/** The trace of an invocation whose caller named none: both are 16 bytes, and the last 7 of an id are random. */
export function traceIdOf(id: string): string {
  return id.replaceAll("-", "");
}

/** The span of a thing with an id: its last 8 bytes, which are random save for two bits. */
export function spanIdOf(id: string): string {
  return id.slice(19).replace("-", "");
}

/** The only invocation that a trace can have begun with where no caller named it. */
export function rootIdOf(traceId: string): string {
  return traceId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
