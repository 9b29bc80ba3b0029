/**
 * How much a test does of what takes long. `npm test` does as much as shows what is wrong, `npm run test:long` as much
 * as shows what is wrong once in a while.
 */
export function amount({ short, long }: { short: number; long: number }): number {
  return process.env["RUNLET_TEST_LENGTH"] === "long" ? long : short;
}
