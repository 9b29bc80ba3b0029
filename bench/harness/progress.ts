const everyMs = 2000;

/** Tells on standard error how far work is, from its third second on and not more often than that. */
export function reporter(what: string): (text: string) => void {
  let toldAtMs = performance.now();
  return (text) => {
    const nowMs = performance.now();
    if (nowMs - toldAtMs < everyMs) return;
    toldAtMs = nowMs;
    process.stderr.write(`${what}: ${text}\n`);
  };
}
