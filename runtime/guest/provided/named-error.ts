/** An error that is told by its name; a stack of ours would tell a function's author nothing. */
export function namedError(name: string, message: string, stack = ""): Error {
  return Object.assign(new Error(message), { name, stack });
}
