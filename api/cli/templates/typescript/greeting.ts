/** Types are stripped, not checked; what cannot be stripped, such as an enum, does not load. */
export function greeting(name: string): string {
  return `Hello, ${name}`;
}
