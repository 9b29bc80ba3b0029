// Loaded into a server that is measured: collects its garbage when it is asked to, so that what it holds is to be seen.
process.on("SIGUSR2", () => globalThis.gc());
