import { greeting } from "./greeting.ts";

interface Event {
  name: string;
}

export const handler = async (event: Event, context: { invocationId: string }): Promise<object> => {
  console.log(`invocation ${context.invocationId}`);
  return { hello: greeting(event.name) };
};
