declare module "undici/lib/dispatcher/agent.js" {
  export { Agent as default } from "undici";
}

declare module "undici/lib/core/connect.js" {
  import type { Socket } from "node:net";
  import type { buildConnector } from "undici";
  /** Unlike the type that undici has of it, what it makes tells of the socket that is being connected. */
  export default function make(
    options: buildConnector.BuildOptions,
  ): (...args: Parameters<buildConnector.connector>) => Socket;
}
