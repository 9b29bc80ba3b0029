/**
 * The trace id of a W3C `traceparent`, 32 hexadecimal digits; undefined for what is none. Versions to come may
 * add fields behind those of today.
 */
export function traceIdOfParent(header: string | undefined): string | undefined {
  const [, version, traceId, parentId, more] =
    header === undefined ? [] : (format.exec(header) ?? []);
  if (version === undefined || version === "ff" || (version === "00" && more !== ""))
    return undefined;
  return traceId === zeroTrace || parentId === zeroParent ? undefined : traceId;
}

const format = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(|-.*)$/;
const zeroTrace = "0".repeat(32);
const zeroParent = "0".repeat(16);
