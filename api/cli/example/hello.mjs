export const handler = async (event, context) => {
  console.log(`invocation ${context.invocationId}`);
  return { hello: event.name ?? "world", kernel: await kernel() };
};

async function kernel() {
  const { readFile } = await import("node:fs/promises");
  return (await readFile("/proc/version", "utf8")).trim();
}
